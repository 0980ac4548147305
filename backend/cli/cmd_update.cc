// holdfast update key|root|release|sign: which programs exist, by keys that no server has.
#include <utility>

#include "backend/cli/commands.h"
#include "backend/cli/time_text.h"
#include "backend/sdk/clock.h"
#include "backend/sdk/update_files.h"

namespace holdfast::cli {
namespace {

std::string Signatures(int have, std::uint32_t due) {
  std::string out = std::to_string(have) + (have == 1 ? " signature" : " signatures");
  const auto missing = static_cast<int>(due) - have;
  if (missing > 0) {
    out += ", " + std::to_string(missing) +
           " more needed: holdfast update sign FILE --sign-with KEY, where the other keys are";
  }
  return out;
}

}  // namespace

int RunUpdateKey(const Call& call) {
  const std::string& path = call.options.local_file;
  if (auto made = sdk::MakeUpdateKey(call.crypto, path); !made.ok()) {
    const bool exists = made.error().code == Code::kExists;
    const int status = call.console.Fail(made.error());
    return exists ? kExitRefused : status;
  }
  call.console.Out("update key     " + path + "  (keep it off every server)\npublic half    " +
                   path + ".pub  (for: holdfast update root --update-key)\n");
  return kExitOk;
}

int RunUpdateRoot(const Call& call) {
  auto fleet = ChooseFleet(call.options);
  if (!fleet.ok()) return call.console.Fail(fleet.error());
  const auto policy = sdk::LoadPolicy(call.crypto, fleet.value(), sdk::WallNow());
  if (!policy.ok()) return call.console.Fail(policy.error());
  const UpdateOptions& o = call.options.update;
  const sdk::UpdateRootOptions options{o.public_keys, o.threshold, o.sign_with,
                                       o.life.value_or(sdk::kUpdateRootLife)};
  auto made = sdk::MakeUpdateRoot(call.crypto, fleet.value(), options, sdk::WallNow());
  if (!made.ok()) return call.console.Fail(made.error());
  const auto& root = made.value().root;
  call.console.Out(
      "update root    " + made.value().path + ", version " + std::to_string(root.version()) +
      "\nupdate keys    " + std::to_string(root.keys_size()) + ", " +
      std::to_string(root.threshold()) + " must sign a release\nuntil          " +
      FormatTime(WallTime(root.expires_ms())) + "\nsigned         " +
      Signatures(made.value().signatures, policy.value().policy.root_threshold()) + "\n");
  return kExitOk;
}

int RunUpdateRelease(const Call& call) {
  const UpdateOptions& o = call.options.update;
  sdk::ReleaseOptions options{
      call.options.path, o.version, o.floor, {}, o.sign_with, o.life.value_or(sdk::kReleaseLife)};
  for (const std::string& word : o.programs) {
    const std::size_t equals = word.find('=');
    if (equals == 0 || equals == std::string::npos) {
      call.console.Say("--program: '" + word + "' is not ARCH=FILE, such as amd64=holdfast-agent");
      return kExitUsage;
    }
    options.programs.emplace_back(word.substr(0, equals), word.substr(equals + 1));
  }
  auto made = sdk::MakeRelease(call.crypto, options, sdk::WallNow());
  if (!made.ok()) return call.console.Fail(made.error());
  std::string archs;
  for (const auto& file : made.value().files()) archs += " " + file.arch();
  call.console.Out("release        " + made.value().version() + " in " + options.dir +
                   "\nprograms for  " + archs + "\nuntil          " +
                   FormatTime(WallTime(made.value().expires_ms())) + "\n");
  return kExitOk;
}

int RunUpdateSign(const Call& call) {
  for (const std::string& key : call.options.update.sign_with) {
    auto count = sdk::AddSignatureTo(call.crypto, call.options.local_file, key);
    if (!count.ok()) return call.console.Fail(count.error());
    call.console.Out(call.options.local_file + " has " + Signatures(count.value(), 0) + "\n");
  }
  return kExitOk;
}

}  // namespace holdfast::cli
