// systemd_units: what the system's manager can start, and what of it runs.
#include "agent/tables/ini.h"
#include "agent/tables/places.h"
#include "agent/tables/registry.h"
#include "agent/tables/systemd_files.h"
#include "common/base/bytes.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kB = ColumnType::kBigint;

constexpr Column kColumns[] = {
    {"id", kT, "Name of the unit"},
    {"description", kT, "Description= of its file"},
    {"load_state", kT, "masked, or loaded when it runs; NULL: only the manager knows"},
    {"active_state", kT,
     "active or, for services and scopes, inactive (also when failed); NULL: only the manager "
     "knows"},
    {"sub_state", kT, "running, exited, dead, mounted, listening, active; NULL as above"},
    {"unit_file_state", kT,
     "enabled, disabled, static, indirect, masked, alias, linked, generated, transient, "
     "enabled-runtime, masked-runtime"},
    {"following", kT, "Always NULL: only the manager knows"},
    {"object_path", kT, "Its path on D-Bus"},
    {"job_id", kB, "Always NULL: only the manager knows"},
    {"job_type", kT, "Always NULL"},
    {"job_path", kT, "Always NULL"},
    {"fragment_path", kT, "Its file; drop-ins in directories beside it are not looked at"},
    {"user", kT, "User= of its file"},
    {"source_path", kT, "SourcePath= of its file: what it was made from"},
};

// As sd-bus escapes: what is no letter or digit as _ and two hex digits.
std::string ObjectPath(std::string_view id) {
  std::string path = "/org/freedesktop/systemd1/unit/";
  const std::size_t start = path.size();
  for (const char c : id) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool digit = c >= '0' && c <= '9' && path.size() > start;
    if (letter || digit) {
      path.push_back(c);
    } else {
      path.append("_").append(ToHex({&c, 1}));
    }
  }
  return path;
}

class UnitRows : public RowSource {
 public:
  explicit UnitRows(Machine& machine) : units_(machine) {}

  bool Next(Row& row) override {
    if (next_ == units_.files().size()) return false;
    const UnitFile& file = units_.files()[next_++];
    const UnitFacts facts = units_.Facts(file);
    RowList rows;
    rows.Begin().Text(file.id).TextOrNull(IniValue(facts.text, "Unit", "Description"));
    rows.TextOrNull(facts.load_state).TextOrNull(facts.active_state).TextOrNull(facts.sub_state);
    rows.TextOrNull(facts.file_state).Null().Text(ObjectPath(file.id)).Null().Null().Null();
    rows.Text(file.path).Text(IniValue(facts.text, "Service", "User"));
    rows.Text(IniValue(facts.text, "Unit", "SourcePath"));
    row = rows.Take(0);
    return true;
  }

 private:
  SystemdUnits units_;
  std::size_t next_ = 0;
};

Result<std::unique_ptr<RowSource>> Open(const Request&, Machine& machine) {
  return std::unique_ptr<RowSource>(std::make_unique<UnitRows>(machine));
}

}  // namespace

const Table kSystemdUnitsTable = {
    .name = "systemd_units",
    .description =
        "Units of systemd: from their files, links and control groups, without asking the "
        "manager.",
    .example =
        "SELECT id, active_state, unit_file_state, fragment_path FROM systemd_units WHERE "
        "fragment_path LIKE '/etc/%' OR active_state = 'active';",
    .cost = Cost::kPackages,
    .columns = kColumns,
    .open = Open,
};

}  // namespace holdfast::agent
