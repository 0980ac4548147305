// RunWorkerProcess: one command through RunWorker() in a forked process, as warden would run it.
#pragma once

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include "agent/core/worker_messages.h"
#include "agent/verbs/worker_main.h"
#include "common/base/delimited.h"
#include "holdfast/command/v1/command.pb.h"
#include "holdfast/command/v1/result.pb.h"

namespace holdfast::agent {

struct WorkerRun {
  std::string output;
  std::vector<std::size_t> message_bytes;  // of each kOutput
  int exits = 0;                           // kExit messages; after the last byte nothing may follow
  bool exit_is_last = false;
  command::v1::Result result;
  int status = -1;  // of waitpid

  std::string failure() const { return command::v1::CommandFailure_Name(result.failure()); }
};

inline void AppendPart(std::string& request, std::string_view part) {
  std::size_t length = part.size();
  for (int i = 0; i < 4; ++i, length >>= 8) request.push_back(static_cast<char>(length & 0xff));
  request.append(part);
}

inline std::string RequestBytes(const command::v1::Command& command, std::string_view blob_path,
                                std::string_view state_dir = "/nowhere") {
  std::string request;
  AppendPart(request, command.SerializeAsString());
  AppendPart(request, state_dir);
  AppendPart(request, blob_path);
  return request;
}

inline void ReadMessages(const std::string& bytes, WorkerRun& run) {
  std::size_t at = 0;
  while (at + 5 <= bytes.size()) {
    std::size_t length = 0;
    for (std::size_t i = 4; i > 0; --i) {
      length = length << 8 | static_cast<unsigned char>(bytes[at + i]);
    }
    const auto type = static_cast<WorkerMessageType>(bytes[at]);
    const std::string payload = bytes.substr(at + 5, length);
    at += 5 + length;
    run.exit_is_last = false;
    if (type == WorkerMessageType::kOutput) {
      run.output += payload;
      run.message_bytes.push_back(payload.size());
    } else if (type == WorkerMessageType::kExit && run.result.ParseFromString(payload)) {
      ++run.exits;
      run.exit_is_last = at == bytes.size();
    }
  }
}

// Writes the request without closing the pipe, as warden may; reads until the end of file.
inline WorkerRun RunWorkerBytes(const std::string& request) {
  int in[2] = {};
  int out[2] = {};
  if (pipe(in) != 0 || pipe(out) != 0) std::abort();
  const pid_t pid = fork();
  if (pid == 0) {
    (void)dup2(in[0], 0);
    (void)dup2(out[1], 1);
    for (const int fd : {in[0], in[1], out[0], out[1]}) close(fd);
    setsid();
    _exit(RunWorker());
  }
  close(in[0]);
  close(out[1]);
  (void)!write(in[1], request.data(), request.size());
  std::string bytes;
  std::string buffer(1 << 20, '\0');
  ssize_t got = 0;
  while ((got = read(out[0], buffer.data(), buffer.size())) > 0) {
    bytes.append(buffer.data(), static_cast<std::size_t>(got));
  }
  close(in[1]);
  close(out[0]);
  WorkerRun run;
  (void)waitpid(pid, &run.status, 0);
  ReadMessages(bytes, run);
  return run;
}

inline WorkerRun RunWorkerProcess(const command::v1::Command& command,
                                  std::string_view blob_path = "",
                                  std::string_view state_dir = "/nowhere") {
  return RunWorkerBytes(RequestBytes(command, blob_path, state_dir));
}

// Rows of an output as text: NULL is "NULL", the rest as printed.
struct RowTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;

  // The value in a row's column, or "(no such column)".
  std::string At(std::size_t row, std::string_view column) const {
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (columns[i] == column && row < rows.size()) return rows[row][i];
    }
    return "(no such column)";
  }
};

inline std::string ValueText(const command::v1::Value& value) {
  switch (value.kind_case()) {
    case command::v1::Value::kInteger: return std::to_string(value.integer());
    case command::v1::Value::kReal: return std::to_string(value.real());
    case command::v1::Value::kText: return value.text();
    case command::v1::Value::kBlob: return value.blob();
    default: return "NULL";
  }
}

inline RowTable ReadRows(const std::string& output) {
  RowTable table;
  DelimitedReader reader(std::size_t{64} << 20);
  reader.Push(output);
  while (true) {
    auto record = reader.Next();
    if (!record.ok() || !record.value()) return table;
    command::v1::RowBatch batch;
    if (!batch.ParseFromString(*record.value())) return table;
    for (const auto& column : batch.columns()) table.columns.push_back(column.name());
    for (const auto& row : batch.rows()) {
      table.rows.emplace_back();
      for (const auto& value : row.values()) table.rows.back().push_back(ValueText(value));
    }
  }
}

inline std::string StdioOf(const std::string& output, std::uint32_t fd) {
  std::string text;
  DelimitedReader reader(std::size_t{1} << 20);
  reader.Push(output);
  while (true) {
    auto record = reader.Next();
    if (!record.ok() || !record.value()) return text;
    command::v1::StdioChunk chunk;
    if (chunk.ParseFromString(*record.value()) && chunk.fd() == fd) text += chunk.data();
  }
}

}  // namespace holdfast::agent
