#include "backend/fleet/machine_model.h"

#include <charconv>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/delimited.h"

namespace holdfast::fleet {
namespace {

namespace pb = ::holdfast::command::v1;

constexpr std::string_view kBytesPath = "/sim/bytes/";

// Rows of text and numbers, in the order of `names`; the type follows the first row's values.
class Table {
 public:
  Table& Column(std::string name, std::string type) {
    pb::Column* column = batch_.add_columns();
    column->set_name(std::move(name));
    column->set_type(std::move(type));
    return *this;
  }
  Table& Row() {
    row_ = batch_.add_rows();
    return *this;
  }
  Table& Text(std::string value) {
    row_->add_values()->set_text(std::move(value));
    return *this;
  }
  Table& Number(std::int64_t value) {
    row_->add_values()->set_integer(value);
    return *this;
  }
  Answer Done() const {
    Answer out;
    out.result.set_outcome(pb::OUTCOME_DONE);
    out.result.set_rows(static_cast<std::uint64_t>(batch_.rows().size()));
    AppendDelimited(out.output, batch_.SerializeAsString());
    return out;
  }

 private:
  pb::RowBatch batch_;
  pb::Row* row_ = nullptr;
};

Answer Failed(pb::CommandFailure failure, std::string message) {
  Answer out;
  out.result.set_outcome(pb::OUTCOME_FAILED);
  out.result.set_failure(failure);
  out.result.set_message(std::move(message));
  return out;
}

Answer File(const std::string& path) {
  std::uint64_t size = 0;
  std::string_view digits = path;
  const bool is_ours = digits.starts_with(kBytesPath);
  if (is_ours) digits.remove_prefix(kBytesPath.size());
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), size);
  if (!is_ours || error != std::errc() || end != digits.data() + digits.size() ||
      size > kMaxGeneratedBytes) {
    return Failed(pb::COMMAND_FAILURE_NO_SUCH_FILE, path + ": No such file or directory");
  }
  Answer out;
  out.result.set_outcome(pb::OUTCOME_DONE);
  out.result.mutable_file()->set_path(path);
  out.result.mutable_file()->set_size(size);
  out.result.mutable_file()->set_mode(0100644);
  out.output = GeneratedBytes(size);
  return out;
}

Answer Exec(const pb::ExecArgs& args, const std::string& hostname) {
  std::string line = hostname + ":";
  for (const std::string& word : args.argv()) line += " " + word;
  pb::StdioChunk chunk;
  chunk.set_fd(1);
  chunk.set_data(line + "\n");
  Answer out;
  const bool fails = !args.argv().empty() && args.argv(0) == "false";
  out.result.set_outcome(fails ? pb::OUTCOME_FAILED : pb::OUTCOME_DONE);
  if (fails) {
    out.result.set_failure(pb::COMMAND_FAILURE_EXIT_STATUS);
    out.result.set_exit_code(1);
    out.result.set_message("exit status 1");
  }
  AppendDelimited(out.output, chunk.SerializeAsString());
  return out;
}

}  // namespace

std::string GeneratedBytes(std::uint64_t size) {
  std::string out(static_cast<std::size_t>(size), '\0');
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<char>(i * 131 + (i >> 8));
  return out;
}

Answer AnswerOf(const pb::Command& command, const std::string& hostname, std::uint32_t number) {
  switch (command.verb_case()) {
    case pb::Command::kQuery:
      return Table()
          .Column("hostname", "TEXT")
          .Column("number", "INTEGER")
          .Row()
          .Text(hostname)
          .Number(number)
          .Done();
    case pb::Command::kPs:
      return Table()
          .Column("pid", "BIGINT")
          .Column("name", "TEXT")
          .Row()
          .Number(1)
          .Text("init")
          .Row()
          .Number(100 + number)
          .Text("simulated")
          .Done();
    case pb::Command::kLs:
    case pb::Command::kStat:
    case pb::Command::kHash:
      return Table()
          .Column("path", "TEXT")
          .Column("size", "BIGINT")
          .Row()
          .Text(std::string(kBytesPath) + "1024")
          .Number(1024)
          .Done();
    case pb::Command::kExec: return Exec(command.exec(), hostname);
    case pb::Command::kGet: return File(command.get().path());
    case pb::Command::kCat: return File(command.cat().path());
    case pb::Command::kKill: return Failed(pb::COMMAND_FAILURE_NO_SUCH_PROCESS, "No such process");
    case pb::Command::kCancel: {
      Answer out;
      out.result.set_outcome(pb::OUTCOME_DONE);
      return out;
    }
    default: break;
  }
  return Failed(pb::COMMAND_FAILURE_BAD_ARGUMENT, "a simulated machine cannot do this");
}

}  // namespace holdfast::fleet
