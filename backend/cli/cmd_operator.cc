// holdfast operator add|renew|list, holdfast version
#include "backend/cli/commands.h"
#include "backend/cli/record_printer.h"
#include "backend/cli/time_text.h"
#include "backend/sdk/clock.h"
#include "backend/sdk/files.h"
#include "backend/sdk/operator_cert.h"

namespace holdfast::cli {
namespace {

constexpr char kVersion[] = HOLDFAST_VERSION;

int Issue(const Call& call, const sdk::Fleet& fleet, const std::string& name) {
  const Duration ttl = call.options.cert_ttl.value_or(sdk::kOperatorCertTtl);
  const auto& classes = call.options.classes;
  auto issued = classes.empty()
                    ? sdk::RenewOperator(call.crypto, fleet, name, ttl, sdk::WallNow())
                    : sdk::IssueOperator(call.crypto, fleet, name, ttl, sdk::WallNow(), classes);
  if (!issued.ok()) {
    const bool no_issuer = issued.error().code == Code::kNotFound;
    const int status = call.console.Fail(issued.error());
    return no_issuer ? kExitRefused : status;
  }
  call.console.Out("operator '" + name + "' may sign until " +
                   FormatTime(WallTime(issued.value().cert.not_after_ms())) + "\n  key          " +
                   fleet.paths.operator_key(name) + "\n  certificate  " +
                   fleet.paths.operator_cert(name) + "\n");
  return kExitOk;
}

}  // namespace

int RunOperatorAdd(const Call& call) {
  auto fleet = ChooseFleet(call.options);
  if (!fleet.ok()) return call.console.Fail(fleet.error());
  const std::string& name = call.options.name;
  if (sdk::Exists(fleet.value().paths.operator_key(name))) {
    call.console.Say("operator '" + name + "' is there already; for a new certificate: holdfast " +
                     "operator renew " + name);
    return kExitRefused;
  }
  return Issue(call, fleet.value(), name);
}

int RunOperatorRenew(const Call& call) {
  auto fleet = ChooseFleet(call.options);
  if (!fleet.ok()) return call.console.Fail(fleet.error());
  const std::string name =
      call.options.name.empty() ? OperatorName(call.options, fleet.value()) : call.options.name;
  if (!sdk::Exists(fleet.value().paths.operator_key(name))) {
    call.console.Say("no operator '" + name + "' in " + fleet.value().paths.operators() +
                     "; to make one: holdfast operator add " + name);
    return kExitUsage;
  }
  return Issue(call, fleet.value(), name);
}

int RunOperatorList(const Call& call) {
  auto fleet = ChooseFleet(call.options);
  if (!fleet.ok()) return call.console.Fail(fleet.error());
  auto names = sdk::ListOperators(fleet.value());
  if (!names.ok()) return call.console.Fail(names.error());
  RecordPrinter printer(call.console, call.options.format,
                        {{"name"},
                         {"default", true, TextTable::Fit::kWhole, 1},
                         {"valid_until"},
                         {"classes", true, TextTable::Fit::kWraps},
                         {"problem", true, TextTable::Fit::kWraps}});
  const WallTime now = sdk::WallNow();
  for (const auto& name : names.value()) {
    const bool is_default = name == fleet.value().toml.operator_name;
    auto who = sdk::LoadOperator(call.crypto, fleet.value(), name);
    if (!who.ok()) {
      printer.Add({Cell::Text(name), Cell::Bool(is_default), Cell::Null(), Cell::Null(),
                   Cell::Text(who.error().message)});
      continue;
    }
    const auto& cert = who.value().cert;
    std::string classes;
    for (const auto& id : cert.classes()) classes += (classes.empty() ? "" : " ") + id;
    printer.Add({Cell::Text(name), Cell::Bool(is_default),
                 Cell::Text(FormatRfc3339(WallTime(cert.not_after_ms()))), Cell::Text(classes),
                 cert.not_after_ms() < now.get() ? Cell::Text("expired") : Cell::Null()});
  }
  printer.Finish();
  return kExitOk;
}

int RunVersion(const Call& call) {
  call.console.Out(std::string("holdfast ") + kVersion + "\n");
  return kExitOk;
}

}  // namespace holdfast::cli
