// The fixture of golden tests: the same events in every format, compared with a file.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "backend/cli/answers_by_verb.h"
#include "backend/cli/host_names.h"
#include "common/adapters/openssl/openssl_crypto.h"
#include "common/base/delimited.h"
#include "tests/support/golden.h"

namespace holdfast::cli {

namespace pb = ::holdfast::command::v1;
namespace api = ::holdfast::api::v1;
using Make = std::unique_ptr<Answers> (*)(const Call&, const Job&);

inline AgentId Id(char c) { return AgentId::From(std::string(16, c)).value(); }

class GoldenTest : public testing::Test {
 protected:
  GoldenTest() {
    job_.digest = Digest::From(std::string(32, '\xd1')).value();
    job_.targets = {{Id('a'), "web01", true}};
    job_.not_after = WallTime(1'790'000'000'000);
  }
  void Several() {
    job_.targets.push_back({Id('b'), "w\x1b[2Jeb02", true});
    job_.several = true;
  }
  sdk::TargetEnd End(char agent, pb::Outcome outcome = pb::OUTCOME_DONE,
                     pb::CommandFailure failure = pb::COMMAND_FAILURE_UNSPECIFIED,
                     const std::string& message = "") const {
    sdk::TargetEnd end;
    end.agent = Id(agent);
    for (const auto& target : job_.targets) {
      if (target.id == end.agent) end.hostname = target.hostname;
    }
    end.delivery.set_outcome(outcome);
    end.delivery.set_failure(failure);
    end.result.emplace();
    end.result->set_outcome(outcome);
    end.result->set_failure(failure);
    end.result->set_message(message);
    end.output_verified = true;
    return end;
  }
  // Runs the same events in each format and compares all that was printed with one file.
  void Compare(const std::string& file, Make make, const std::function<void(Answers&)>& events) {
    job_.hosts = ShownHosts(job_.targets);
    std::string text;
    const std::pair<Format, const char*> formats[] = {{Format::kTable, "table"},
                                                      {Format::kJson, "json"},
                                                      {Format::kJsonl, "jsonl"},
                                                      {Format::kCsv, "csv"}};
    for (const auto& [format, name] : formats) {
      options_.format = format;
      testing::internal::CaptureStdout();
      testing::internal::CaptureStderr();
      int status = 0;
      {
        Console console(width_);
        const Call call{options_, console, *crypto_, -1};
        const auto answers = make(call, job_);
        events(*answers);
        answers->Close(all_ended_);
        status = answers->ExitStatus();
      }
      const std::string out = testing::internal::GetCapturedStdout();
      const std::string err = testing::internal::GetCapturedStderr();
      text += std::string("=== -o ") + name + ": status " + std::to_string(status) + "\n" + out +
              (err.empty() ? "" : "--- standard error\n" + err);
    }
    ExpectGolden(text, "tests/golden/cli/" + file);
  }
  static std::string Rows() {
    pb::RowBatch batch;
    for (const char* name : {"pid", "name", "pid"}) batch.add_columns()->set_name(name);
    const auto add = [&](std::int64_t pid, const std::string& name) {
      auto* row = batch.add_rows();
      row->add_values()->set_integer(pid);
      row->add_values()->set_text(name);
      row->add_values();
    };
    add(1, "init");
    add(-4242, "=HYPERLINK(\"http://evil\")");
    add(7, "\x1b[31mred\xe2\x80\xae\n\xff");
    auto* last = batch.add_rows();
    last->add_values()->set_real(0.5);
    last->add_values()->set_blob(std::string("\0\xff", 2));
    last->add_values()->set_text("\xc3\xa4\xe6\xbc\xa2");
    std::string out;
    AppendDelimited(out, batch.SerializeAsString());
    return out;
  }
  static std::string Stdio(std::uint32_t fd, const std::string& data) {
    pb::StdioChunk chunk;
    chunk.set_fd(fd);
    chunk.set_data(data);
    std::string out;
    AppendDelimited(out, chunk.SerializeAsString());
    return out;
  }

  std::unique_ptr<sign::Crypto> crypto_ = NewOpensslCrypto();
  Options options_;
  Job job_;
  bool all_ended_ = true;
  std::size_t width_ = 0;  // of the terminal; 0: a pipe
};

}  // namespace holdfast::cli
