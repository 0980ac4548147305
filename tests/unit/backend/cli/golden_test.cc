// What people and programs see, as plain text in tests/golden/cli: every verb, every format, failures and
// hostile endpoints.
#include "common/sign/envelope.h"
#include "tests/unit/backend/cli/golden_fixture.h"

namespace holdfast::cli {
namespace {

TEST_F(GoldenTest, RowsOfOneHost) {
  Compare("rows_one_host.txt", MakeRowAnswers, [&](Answers& answers) {
    const std::string output = Rows();
    ASSERT_TRUE(answers.OnOutput(Id('a'), output.substr(0, 10)).ok());
    ASSERT_TRUE(answers.OnOutput(Id('a'), output.substr(10)).ok());
    ASSERT_TRUE(answers.OnEnd(End('a')).ok());
  });
}

TEST_F(GoldenTest, RowsWithAWordOnWhatCouldNotBeRead) {
  job_.command.mutable_query();
  Compare("rows_with_note.txt", MakeRowAnswers, [&](Answers& answers) {
    ASSERT_TRUE(answers.OnOutput(Id('a'), Rows()).ok());
    ASSERT_TRUE(answers
                    .OnEnd(End('a', pb::OUTCOME_DONE, pb::COMMAND_FAILURE_UNSPECIFIED,
                               "2 files could not be read, the first: /x\x1b[2J: may not"))
                    .ok());
  });
}

TEST_F(GoldenTest, RowsOfSeveralHostsOneOfWhichFails) {
  Several();
  Compare("rows_several_hosts.txt", MakeRowAnswers, [&](Answers& answers) {
    ASSERT_TRUE(answers.OnOutput(Id('a'), Rows()).ok());
    ASSERT_TRUE(answers.OnEnd(End('a')).ok());
    ASSERT_TRUE(answers
                    .OnEnd(End('b', pb::OUTCOME_FAILED, pb::COMMAND_FAILURE_SQL,
                               "no such table: \x1b[2Jx (at character 15)"))
                    .ok());
  });
}

TEST_F(GoldenTest, RowsThatDoNotVerifyAreNotPrinted) {
  Compare("rows_not_trusted.txt", MakeRowAnswers, [&](Answers& answers) {
    ASSERT_TRUE(answers.OnOutput(Id('a'), Rows()).ok());
    auto end = End('a');
    end.output_verified = false;
    end.problem = "the output that came (7 bytes) is not what the agent signed (8 bytes)";
    ASSERT_TRUE(answers.OnEnd(end).ok());
  });
}

TEST_F(GoldenTest, ANewAttemptReplacesRowsThatWereNotPrinted) {
  Compare("rows_second_attempt.txt", MakeRowAnswers, [&](Answers& answers) {
    ASSERT_TRUE(answers.OnOutput(Id('a'), Rows().substr(0, 20)).ok());
    ASSERT_TRUE(answers.OnRestart(Id('a')).ok());
    ASSERT_TRUE(answers.OnOutput(Id('a'), Rows()).ok());
    ASSERT_TRUE(answers.OnEnd(End('a')).ok());
  });
}

TEST_F(GoldenTest, ARefusalOfEveryTarget) {
  Compare("refused.txt", MakeRowAnswers, [&](Answers& answers) {
    ASSERT_TRUE(answers
                    .OnEnd(End('a', pb::OUTCOME_REFUSED, pb::COMMAND_FAILURE_NOT_PERMITTED,
                               "class read does not list the verb query"))
                    .ok());
  });
}

TEST_F(GoldenTest, ExecOfOneHost) {
  Compare("exec_one_host.txt", MakeExecAnswers, [&](Answers& answers) {
    ASSERT_TRUE(answers.OnOutput(Id('a'), Stdio(1, "out\n\xff") + Stdio(2, "err\n")).ok());
    auto end = End('a', pb::OUTCOME_FAILED, pb::COMMAND_FAILURE_EXIT_STATUS, "sh: exit status 3");
    end.result->set_exit_code(3);
    ASSERT_TRUE(answers.OnEnd(end).ok());
  });
}

TEST_F(GoldenTest, ExecOfSeveralHostsMarksEachLine) {
  Several();
  Compare("exec_several_hosts.txt", MakeExecAnswers, [&](Answers& answers) {
    ASSERT_TRUE(answers.OnOutput(Id('a'), Stdio(1, "one\ntw")).ok());
    ASSERT_TRUE(answers.OnOutput(Id('b'), Stdio(1, "=1+1\n") + Stdio(2, "oops")).ok());
    ASSERT_TRUE(answers.OnOutput(Id('a'), Stdio(1, "o\n")).ok());
    ASSERT_TRUE(answers.OnEnd(End('a')).ok());
    ASSERT_TRUE(answers.OnEnd(End('b')).ok());
  });
}

TEST_F(GoldenTest, ExecOutputThatDoesNotVerifyIsInNoFormatThatProgramsRead) {
  Compare("exec_not_trusted.txt", MakeExecAnswers, [&](Answers& answers) {
    ASSERT_TRUE(answers.OnOutput(Id('a'), Stdio(1, "FORGED\n")).ok());
    auto end = End('a', pb::OUTCOME_DONE);
    end.delivery.set_failure(pb::COMMAND_FAILURE_EXIT_STATUS);  // the backend's word
    end.output_verified = false;
    end.problem = "the output that came (7 bytes) is not what the agent signed (8 bytes)";
    ASSERT_TRUE(answers.OnEnd(end).ok());
  });
}

TEST_F(GoldenTest, APutThatDoesNotVerifyIsTrustedInNoFormat) {
  job_.command.mutable_put()->set_path("/opt/tool");
  Compare("put_not_trusted.txt", MakePlainAnswers, [&](Answers& answers) {
    auto end = End('a', pb::OUTCOME_DONE);
    end.result.reset();
    end.delivery.set_message("all is well");
    end.problem = "the backend tells an outcome that no agent signed";
    ASSERT_TRUE(answers.OnEnd(end).ok());
  });
}

TEST_F(GoldenTest, TheOutcomeAndTheFailureAreTheSignedOnesNotTheBackends) {
  Compare("put_failure.txt", MakePlainAnswers, [&](Answers& answers) {
    auto end = End('a', pb::OUTCOME_FAILED, pb::COMMAND_FAILURE_SQL, "signed");
    end.delivery.set_outcome(pb::OUTCOME_DONE);
    end.delivery.set_failure(pb::COMMAND_FAILURE_EXIT_STATUS);
    ASSERT_TRUE(answers.OnEnd(end).ok());
  });
}

TEST_F(GoldenTest, OneEndpointThatSignsNonsenseDoesNotEndTheOthers) {
  Several();
  pb::RowBatch no_columns;
  no_columns.add_rows();
  std::string nonsense;
  AppendDelimited(nonsense, no_columns.SerializeAsString());
  Compare("rows_nonsense_of_one.txt", MakeRowAnswers, [&](Answers& answers) {
    ASSERT_TRUE(answers.OnOutput(Id('b'), nonsense).ok());
    ASSERT_TRUE(answers.OnEnd(End('b')).ok());
    ASSERT_TRUE(answers.OnOutput(Id('a'), Rows()).ok());
    ASSERT_TRUE(answers.OnEnd(End('a')).ok());
  });
  Compare("exec_nonsense_of_one.txt", MakeExecAnswers, [&](Answers& answers) {
    ASSERT_TRUE(answers.OnOutput(Id('b'), "\xff\xff\xff\xff\xff\xff").ok());
    ASSERT_TRUE(answers.OnOutput(Id('a'), Stdio(1, "good\n")).ok());
    ASSERT_TRUE(answers.OnEnd(End('b')).ok());
    ASSERT_TRUE(answers.OnEnd(End('a')).ok());
  });
}

TEST_F(GoldenTest, PutTellsWhatWasWritten) {
  job_.command.mutable_put()->set_path("/opt/tool");
  job_.command.add_blobs()->set_sha256(std::string(32, '\x5a'));
  job_.command.mutable_blobs(0)->set_size(1'234'567);
  Compare("put.txt", MakePlainAnswers,
          [&](Answers& answers) { ASSERT_TRUE(answers.OnEnd(End('a')).ok()); });
}

TEST_F(GoldenTest, CatOfBytesThatAreNoText) {
  job_.command.mutable_cat()->set_path("/etc/x");
  Compare("cat.txt", MakeCatAnswers, [&](Answers& answers) {
    ASSERT_TRUE(answers.OnOutput(Id('a'), "plain\n\xff\x01\n").ok());
    auto end = End('a');
    end.result->set_output_bytes(9);
    end.result->set_output_sha256(std::string(32, '\x11'));
    end.result->mutable_file()->set_unstable(true);
    ASSERT_TRUE(answers.OnEnd(end).ok());
  });
}

TEST_F(GoldenTest, WhatHasNotEndedWhenTheWaitIsOver) {
  Several();
  job_.targets[1].online = false;
  options_.wait = std::chrono::seconds(5);
  all_ended_ = false;
  Compare("not_ended.txt", MakeRowAnswers, [&](Answers& answers) {
    ASSERT_TRUE(answers.OnOutput(Id('a'), Rows()).ok());
    ASSERT_TRUE(answers.OnEnd(End('a')).ok());
  });
}

// --- job --------------------------------------------------------------------------------------------

class JobGoldenTest : public GoldenTest {
 protected:
  static constexpr std::uint64_t kAccepted = 1'789'990'000'000;

  JobGoldenTest() {
    auto& job = *detail_.mutable_summary();
    job.set_digest(job_.digest.str());
    job.set_verb("exec");
    job.set_operator_id("ada");
    job.set_detail("exec \"date\"");
    job.set_accepted_ms(kAccepted);
    job.set_not_after_ms(1'790'000'000'000);
  }
  // One target in this state, whose steps so far took one second, then one minute, then one hour.
  api::Delivery& Add(char agent, const std::string& hostname, api::DeliveryState state) {
    auto& delivery = *detail_.add_deliveries();
    delivery.set_agent_id(Id(agent).str());
    delivery.set_hostname(hostname);
    delivery.set_state(state);
    delivery.set_accepted_ms(kAccepted);
    const bool was_sent = state != api::DELIVERY_STATE_ACCEPTED;
    if (was_sent) delivery.set_sent_ms(kAccepted + 1'000);
    if (was_sent) delivery.set_sends(1);
    const bool has_receipt =
        was_sent && state != api::DELIVERY_STATE_SENT && state != api::DELIVERY_STATE_UNKNOWN;
    if (has_receipt) delivery.set_received_ms(kAccepted + 61'000);
    if (has_receipt && state != api::DELIVERY_STATE_RECEIVED) {
      delivery.set_started_ms(kAccepted + 3'661'000);
    }
    detail_.mutable_summary()->set_targets(static_cast<std::uint32_t>(detail_.deliveries_size()));
    if (state != api::DELIVERY_STATE_ENDED) delivery.mutable_waiting()->set_online(true);
    return delivery;
  }
  static void TakeOffline(api::Delivery& delivery) {
    delivery.mutable_waiting()->set_online(false);
    delivery.mutable_waiting()->set_offline_since_ms(kAccepted + 7'000'000);
  }
  void ComparePrinted(const std::string& file) {
    std::string text;
    for (const auto& [format, name] :
         {std::pair(Format::kTable, "table"), std::pair(Format::kJson, "json"),
          std::pair(Format::kCsv, "csv")}) {
      options_.format = format;
      testing::internal::CaptureStdout();
      {
        Console console;
        PrintJob({options_, console, *crypto_, -1}, detail_);
      }
      text += std::string("=== -o ") + name + "\n" + testing::internal::GetCapturedStdout();
    }
    ExpectGolden(text, "tests/golden/cli/" + file);
  }
  api::CommandDetail detail_;
};

TEST_F(JobGoldenTest, TellsWhyAJobWaitsWhileItsAgentsAreOnline) {
  Add('a', "next", api::DELIVERY_STATE_ACCEPTED);
  Add('b', "queued", api::DELIVERY_STATE_ACCEPTED).mutable_waiting()->set_ahead(41);
  Add('c', "held", api::DELIVERY_STATE_ACCEPTED).mutable_waiting()->set_held(true);
  Add('d', "sent", api::DELIVERY_STATE_SENT).set_sends(3);
  Add('e', "received", api::DELIVERY_STATE_RECEIVED);
  Add('f', "started", api::DELIVERY_STATE_STARTED);
  Add('g', "unknown", api::DELIVERY_STATE_UNKNOWN);
  ComparePrinted("job_online.txt");
}

TEST_F(JobGoldenTest, TellsWhyAJobWaitsWhileItsAgentsAreOffline) {
  TakeOffline(Add('a', "accepted", api::DELIVERY_STATE_ACCEPTED));
  TakeOffline(Add('d', "sent", api::DELIVERY_STATE_SENT));
  TakeOffline(Add('e', "received", api::DELIVERY_STATE_RECEIVED));
  TakeOffline(Add('f', "started", api::DELIVERY_STATE_STARTED));
  TakeOffline(Add('g', "unknown", api::DELIVERY_STATE_UNKNOWN));
  Add('h', "never\x1b[2Jseen", api::DELIVERY_STATE_ACCEPTED).mutable_waiting()->set_online(false);
  ComparePrinted("job_offline.txt");
}

TEST_F(JobGoldenTest, TellsEachStepOfWhatHasEnded) {
  auto& refused = Add('a', "web01", api::DELIVERY_STATE_ENDED);
  refused.set_ended_ms(kAccepted + 90'061'000);
  refused.set_outcome(pb::OUTCOME_INTERRUPTED);
  refused.set_failure(pb::COMMAND_FAILURE_JOURNAL_LOST);
  refused.set_message("the agent's journal was lost or set back");
  auto& expired = Add('b', "web02", api::DELIVERY_STATE_ENDED);
  for (auto clear : {&api::Delivery::clear_sent_ms, &api::Delivery::clear_received_ms,
                     &api::Delivery::clear_started_ms}) {
    (expired.*clear)();
  }
  expired.clear_sends();
  expired.set_ended_ms(kAccepted + 10'000'000);
  expired.set_outcome(pb::OUTCOME_EXPIRED);
  expired.set_failure(pb::COMMAND_FAILURE_NOT_DELIVERED);
  detail_.mutable_summary()->set_ended(2);
  ComparePrinted("job_ended.txt");
}

TEST_F(JobGoldenTest, TellsWhatTheAgentSignedAndNothingElseOfAnEnd) {
  const auto key = crypto_->LoadKey(std::string(32, 'k')).value();
  const AgentId id = sign::AgentIdOf(*crypto_, key->public_key());
  pb::Result result;
  result.set_command_digest(job_.digest.str());
  result.set_agent_id(id.str());
  result.set_incarnation(std::string(16, 'i'));
  result.set_attempt(1);
  result.set_outcome(pb::OUTCOME_FAILED);
  result.set_failure(pb::COMMAND_FAILURE_EXIT_STATUS);
  result.set_message("it ended with 3");
  result.set_output_sha256(crypto_->Sha256("").str());
  const auto envelope =
      sign::SignEnvelope(*crypto_, *key, sign::kResultType, result.SerializeAsString()).value();
  const auto add = [&](const std::string& hostname, pb::Outcome outcome) -> api::Delivery& {
    auto& delivery = Add('a', hostname, api::DELIVERY_STATE_ENDED);
    delivery.set_agent_id(id.str());
    delivery.set_agent_pubkey(key->public_key().str());
    delivery.set_outcome(outcome);
    delivery.set_failure(pb::COMMAND_FAILURE_JOURNAL_LOST);
    delivery.set_message("the backend's word");
    return delivery;
  };
  add("other-failure", pb::OUTCOME_FAILED).set_result_envelope(envelope);
  add("other-outcome", pb::OUTCOME_DONE).set_result_envelope(envelope);
  add("unsigned", pb::OUTCOME_INTERRUPTED);
  add("left-out", pb::OUTCOME_REFUSED);
  ComparePrinted("job_signed.txt");
}

}  // namespace
}  // namespace holdfast::cli
