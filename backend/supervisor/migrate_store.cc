#include "backend/supervisor/migrate_store.h"

#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/adapters/libpq/postgres_rows.h"
#include "backend/adapters/linux/act_as.h"
#include "backend/adapters/linux/files.h"
#include "backend/adapters/linux/unique_fd.h"
#include "backend/adapters/sqlite/sqlite_rows.h"
#include "backend/core/record_move.h"
#include "backend/core/store_columns.h"
#include "backend/supervisor/backup_progress.h"
#include "backend/supervisor/stop_request.h"

namespace holdfast::backend {
namespace {

namespace fs = std::filesystem;

// What the rows say of files beside the database.
struct NamedOutputs {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  std::uint64_t missing = 0;

  void Take(const std::string& state_dir, const DeliveryRow& row) {
    std::string path = state_dir + "/results/";
    if (row.place == OutputPlace::kSealed) {
      const std::string name = row.output_sha256.hex();
      path += name.substr(0, 2) + "/" + name;
    } else if (row.place == OutputPlace::kIncoming) {
      path += "incoming/" + row.output_name.hex();
    } else {
      return;
    }
    std::error_code error;
    ++files;
    bytes += row.stored_bytes;
    if (!fs::exists(path, error)) ++missing;
  }
};

// A ledger that is being written: gone with us unless it got its name.
class NewLedger {
 public:
  explicit NewLedger(const std::string& state_dir)
      : state_dir_(state_dir), path_(state_dir + "/ledger.db.moving") {
    Remove();  // of one that was killed
  }
  ~NewLedger() { Remove(); }
  NewLedger(const NewLedger&) = delete;
  NewLedger& operator=(const NewLedger&) = delete;
  const std::string& path() const { return path_; }

  // After its connection was closed: all is in the one file then.
  Status Keep() {
    const std::string name = state_dir_ + "/ledger.db";
    const UniqueFd file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.valid() || ::fsync(file.get()) != 0) return FileUnavailable(path_);
    if (fs::exists(path_ + "-wal")) return Error{Code::kInternal, path_ + ": its log is left over"};
    if (::link(path_.c_str(), name.c_str()) != 0) return FileUnavailable(name);
    const UniqueFd folder(::open(state_dir_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder.valid() || ::fsync(folder.get()) != 0) return FileUnavailable(state_dir_);
    return Ok();
  }

 private:
  void Remove() const {
    for (const char* const part : {"", "-wal", "-journal", "-shm"}) {
      (void)::unlink((path_ + part).c_str());
    }
  }
  const std::string state_dir_, path_;
};

Result<std::unique_ptr<RecordRows>> OpenPostgres(const std::string& url,
                                                 std::function<bool()> stop) {
  const std::string name = "holdfastd migrate-store " + std::to_string(std::random_device()());
  return OpenPostgresRows(url, name, std::move(stop));
}

bool IsThere(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

Result<std::unique_ptr<RecordRows>> OpenSource(const Config& config, std::function<bool()> stop) {
  if (!config.store_url.empty()) {
    auto rows = OpenPostgres(config.store_url, std::move(stop));
    if (!rows.ok()) return std::move(rows).error().In(config.file + ": store.url");
    return rows;
  }
  const std::string ledger = config.state_dir + "/ledger.db";
  if (!IsThere(ledger)) return Error{Code::kNotFound, ledger + " is not there: nothing to move"};
  return OpenSqliteRows(ledger);
}

Status CheckTarget(const Config& config, const std::string& to) {
  if (to == kToFile) {
    const std::string ledger = config.state_dir + "/ledger.db";
    // SQLite would take what belongs to an older ledger for the new one's.
    for (const char* const part : {"-wal", "-journal"}) {
      if (IsThere(ledger) || !IsThere(ledger + part)) continue;
      return Error{Code::kExists, ledger + part +
                                      " is there, of an older ledger: nothing was changed; put it "
                                      "where that one is"};
    }
    if (!IsThere(ledger)) return Ok();
    return Error{Code::kExists,
                 ledger + " is there already: nothing was changed" +
                     (config.store_url.empty() ? "; and it is the record, as store.url is empty"
                                               : "; move it away first, if it is an old one, and "
                                                 "ledger.db-wal with it")};
  }
  const Status good = CheckStoreUrl(to);
  if (!good.ok())
    return Error{good.error().code, "--to: `file`, or a URL, which " + good.error().message};
  if (to != config.store_url) return Ok();
  return Error{Code::kInvalid, "--to: the record is there already, as store.url says"};
}

void SayMoved(const Config& config, const std::string& to, const MovedRecord& moved,
              const NamedOutputs& outputs) {
  std::printf("The record is copied, and every row compared:\n");
  for (std::size_t i = 0; i < kRecordTables.size(); ++i) {
    std::printf("  %-24s %llu\n", std::string(ToString(kRecordTables[i])).c_str(),
                static_cast<unsigned long long>(moved.rows[i]));
  }
  std::printf("  %-24s %s\n", "together", Megabytes(moved.bytes).c_str());
  std::printf("Outputs above 64 KiB and uploads stay files in %s: %llu named, %s.\n",
              config.state_dir.c_str(), static_cast<unsigned long long>(outputs.files),
              Megabytes(outputs.bytes).c_str());
  if (outputs.missing > 0) {
    std::printf("  %llu of them are not there; they were not before, either.\n",
                static_cast<unsigned long long>(outputs.missing));
  }
  std::printf("Now set in %s, and start holdfastd:\n  [store]\n  url = \"%s\"\n",
              config.file.c_str(), to == kToFile ? "" : to.c_str());
  std::printf(
      "The record at the old place is as it was. It grows old from now on: put it away once "
      "the new one serves.\n");
}

}  // namespace

Result<int> MigrateStore(const Config& config, const std::string& to) {
  const StopRequest stop;
  ::umask(0077);
  HF_ASSIGN_OR_RETURN(const ActAs acts, ActAs::Begin(config.state_dir));
  HF_TRY(CheckTarget(config, to));
  HF_TRY(MakeDirectories(config.run_dir()));
  auto lock = LockFile(config.run_dir() + "/lock");
  if (!lock.ok()) {
    return std::move(lock).error().In("a holdfastd uses " + config.state_dir + "; stop it first");
  }
  HF_ASSIGN_OR_RETURN(std::unique_ptr<RecordRows> from,
                      OpenSource(config, [&stop] { return stop.came(); }));

  std::optional<NewLedger> ledger;
  if (to == kToFile) ledger.emplace(config.state_dir);
  // A commit that is on its way is waited for: who gives it up does not know what he has.
  bool committing = false;
  const auto stops = [&stop, &committing] { return stop.came() && !committing; };
  auto target = ledger ? OpenSqliteRows(ledger->path()) : OpenPostgres(to, stops);
  if (!target.ok()) return std::move(target).error().In("--to");

  NamedOutputs outputs;
  std::optional<BackupProgress> progress;
  std::string_view shown;
  MoveOptions options;
  options.stop = [&stop] { return stop.came(); };
  options.on_progress = [&](std::string_view doing, std::uint64_t bytes, std::uint64_t total) {
    if (doing != shown) progress.emplace(std::string(doing), total);
    shown = doing;
    progress->Show(bytes);
  };
  options.on_row = [&](RecordTable table, const RecordRow& row) {
    if (table != RecordTable::kDeliveries) return;
    outputs.Take(config.state_dir, ReadDelivery(RecordRowView(row)));
  };
  options.on_commit = [&committing] { committing = true; };
  auto moved = MoveRecord(*from, *target.value(), options);
  progress.reset();
  if (!moved.ok()) {
    Error why = std::move(moved).error();
    if (why.code == Code::kExists) return std::move(why).In("--to");
    if (committing && !ledger) {
      why.message +=
          "; the answer to the commit was lost: all of it is there, or nothing. Ask again, the "
          "same "
          "way: that it has rows already means that all of it is there";
      return why;
    }
    return stop.came() ? Error{Code::kCancelled, "interrupted: nothing was changed"}
                       : std::move(why);
  }
  target.value().reset();  // closed
  if (ledger) HF_TRY(ledger->Keep());
  SayMoved(config, to, moved.value(), outputs);
  return 0;
}

}  // namespace holdfast::backend
