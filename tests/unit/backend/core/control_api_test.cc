// The API over the whole core: what clients may ask, how they are refused, what a full disk does.
#include <gtest/gtest.h>

#include "backend/core/control_audit.h"
#include "tests/support/control_world.h"

namespace holdfast::testing {
namespace {

namespace api = ::holdfast::api::v1;

class ControlApiTest : public ::testing::Test {
 protected:
  ControlApiTest() {
    world_.Run(3 * kSecond);  // agents enrol
    HF_CHECK(world_.core().OnApiOpened(kConnection, "1.2.3.4:5", world_.now()));
    challenge_ = Next().hello().challenge();
  }
  void Send(api::ClientMessage message) {
    if (message.id() == 0) message.set_id(++id_);
    world_.core().OnApiMessage(kConnection, message.SerializeAsString(), world_.now());
  }
  api::ServerMessage Next() {
    world_.core().EndTurn(world_.now());
    api::ServerMessage message;
    const auto bytes = world_.core().NextApiMessage(kConnection);
    if (bytes) HF_CHECK(message.ParseFromString(*bytes));
    return message;
  }
  api::ServerMessage Ask(api::ClientMessage message) {
    Send(std::move(message));
    return Next();
  }
  pb::Login GoodLogin() const {
    pb::Login login;
    login.set_fleet_id(world_.fleet().fleet_id.str());
    login.set_server_name("server");
    login.set_challenge(challenge_);
    login.set_operator_serial(world_.fleet().serial);
    return login;
  }
  api::ServerMessage Login(const pb::Login& login) {
    api::ClientMessage message;
    message.mutable_login()->set_envelope(
        sign::SignEnvelope(world_.crypto(), *world_.fleet().operator_key, sign::kLoginType,
                           login.SerializeAsString())
            .value());
    pb::OperatorCert cert = world_.fleet().GoodCert();
    if (may_act_) cert.add_classes("act");
    message.mutable_login()->set_cert_envelope(world_.fleet().Sign(cert));
    return Ask(std::move(message));
  }
  void LogIn() { ASSERT_TRUE(Login(GoodLogin()).has_login_ok()); }
  pb::Command Command(char fill) {
    pb::Command command = world_.fleet().GoodCommand();
    command.set_command_id(std::string(16, fill));
    command.set_issued_at_ms(world_.now().wall_ms());
    command.mutable_target()->clear_agent_ids();
    command.mutable_target()->add_agent_ids(world_.agents()[0]->id().str());
    return command;
  }
  api::ServerMessage Submit(const pb::Command& command) {
    api::ClientMessage message;
    message.mutable_submit()->set_envelope(world_.fleet().Sign(command));
    message.mutable_submit()->set_cert_envelope(world_.fleet().Sign(world_.fleet().GoodCert()));
    return Ask(std::move(message));
  }
  std::optional<std::string> Closing() { return world_.core().ApiClosing(kConnection); }

  static constexpr std::uint64_t kConnection = 900;
  ControlWorld world_{{.seed = 5, .agents = 2, .gateways = 1}};
  std::string challenge_;
  std::uint64_t id_ = 0;
  bool may_act_ = true;
};

TEST_F(ControlApiTest, LetsNobodyInWithoutTheRightSignature) {
  api::ClientMessage list;
  list.mutable_list_agents();
  EXPECT_EQ(Ask(list).error().code(), api::API_CODE_DENIED);
  pb::Login wrong = GoodLogin();
  wrong.set_challenge(std::string(32, 'w'));
  EXPECT_EQ(Login(wrong).error().code(), api::API_CODE_DENIED);
  wrong = GoodLogin();
  wrong.set_server_name("elsewhere");
  EXPECT_EQ(Login(wrong).error().code(), api::API_CODE_DENIED);
  EXPECT_FALSE(Closing());
  wrong = GoodLogin();
  wrong.set_operator_serial(std::string(16, 'w'));
  EXPECT_EQ(Login(wrong).error().code(), api::API_CODE_DENIED);
  EXPECT_TRUE(Closing());  // three are enough
}

TEST_F(ControlApiTest, ClosesAConnectionThatDoesNotLogInOrSpeaksAnotherLanguage) {
  world_.core().OnApiMessage(kConnection, "\xff\xff\xff", world_.now());
  EXPECT_TRUE(Closing());
  HF_CHECK(world_.core().OnApiOpened(901, "x", world_.now()));
  backend::Moment later = world_.now();
  later.at += 10 * kSecond;
  world_.core().OnTick(later);
  EXPECT_TRUE(world_.core().ApiClosing(901));
}

TEST_F(ControlApiTest, GivesStrangersLessRoomThanOperators) {
  constexpr std::size_t kGreeting = std::size_t{16} * 1024;
  const auto padded = [](std::size_t bytes) {
    api::ClientMessage list;
    list.set_id(1);
    const std::size_t frame = 9;  // the tags and lengths around a name of some KiB
    list.mutable_list_agents()->set_name(std::string(bytes - frame, 'n'));
    return list;
  };
  EXPECT_EQ(world_.core().ApiMaxMessageBytes(kConnection), kGreeting);
  Send(padded(kGreeting));
  EXPECT_FALSE(Closing());
  EXPECT_EQ(Next().error().code(), api::API_CODE_DENIED);
  LogIn();
  EXPECT_EQ(world_.core().ApiMaxMessageBytes(kConnection), std::size_t{512} * 1024);
  EXPECT_EQ(Ask(padded(kGreeting + 100)).error().code(), api::API_CODE_INVALID) << "the name alone";
  EXPECT_FALSE(Closing());
  HF_CHECK(world_.core().OnApiOpened(901, "x", world_.now()));
  world_.core().OnApiMessage(901, padded(kGreeting + 100).SerializeAsString(), world_.now());
  EXPECT_TRUE(world_.core().ApiClosing(901));
}

TEST_F(ControlApiTest, EndsASessionWithItsCertificate) {
  LogIn();
  backend::Moment later = world_.now();
  later.wall = WallTime(kNowMs + 11 * kHourMs + 1);
  api::ClientMessage list;
  list.set_id(77);
  list.mutable_list_agents();
  world_.core().OnApiMessage(kConnection, list.SerializeAsString(), later);
  EXPECT_EQ(Next().error().code(), api::API_CODE_DENIED);
  EXPECT_TRUE(Closing());
}

TEST_F(ControlApiTest, ListsAgentsByEveryFilterAndInPages) {
  LogIn();
  api::ClientMessage list;
  list.mutable_list_agents()->set_limit(1);
  const auto first = Ask(list).agents();
  ASSERT_EQ(first.agents_size(), 1);
  EXPECT_TRUE(first.more());
  EXPECT_TRUE(first.agents(0).online());
  EXPECT_EQ(first.agents(0).pubkey().size(), 65U);
  list.mutable_list_agents()->set_after_id(first.agents(0).id());
  const auto second = Ask(list).agents();
  ASSERT_EQ(second.agents_size(), 1);
  EXPECT_FALSE(second.more());
  const std::string hex = ToHex(second.agents(0).id());
  for (const std::string& name : {hex, hex.substr(0, 8), "HOST-" + hex.substr(0, 4)}) {
    api::ClientMessage named;
    named.mutable_list_agents()->set_name(name);
    EXPECT_EQ(Ask(named).agents().agents_size(), 1) << name;
  }
  api::ClientMessage none;
  none.mutable_list_agents()->set_name(hex.substr(0, 3));  // fewer than four digits
  EXPECT_EQ(Ask(none).agents().agents_size(), 0);
  none.mutable_list_agents()->clear_name();
  none.mutable_list_agents()->add_labels("env=none");
  EXPECT_EQ(Ask(none).agents().agents_size(), 0);
  none.mutable_list_agents()->add_labels("no equals sign");
  EXPECT_EQ(Ask(none).error().code(), api::API_CODE_INVALID);
}

TEST_F(ControlApiTest, GivesTheSameAnswerToTheSameBytesEvenAfterTheyExpired) {
  LogIn();
  const pb::Command command = Command('1');
  const auto first = Submit(command).submitted();
  EXPECT_EQ(first.digest().size(), 32U);
  EXPECT_EQ(Submit(command).submitted().digest(), first.digest());
  pb::Command other = command;
  other.mutable_query()->set_sql("SELECT 2");
  EXPECT_EQ(Submit(other).error().code(), api::API_CODE_CONFLICT);
  world_.Run(2 * kSecond);  // it ran, and left memory
  EXPECT_EQ(Submit(command).submitted().digest(), first.digest());
  EXPECT_EQ(Submit(other).error().code(), api::API_CODE_CONFLICT);
  EXPECT_EQ(world_.agents()[0]->effects().size(), 1U);
}

TEST_F(ControlApiTest, RefusesWhatEndpointsWouldRefuse) {
  LogIn();
  pb::Command late = Command('1');
  late.set_issued_at_ms(kNowMs - 2 * kHourMs);
  late.set_not_after_ms(kNowMs - kHourMs);
  EXPECT_EQ(Submit(late).error().code(), api::API_CODE_EXPIRED);
  pb::Command foreign = Command('2');
  foreign.set_fleet_id(std::string(16, 'z'));
  EXPECT_EQ(Submit(foreign).error().code(), api::API_CODE_DENIED);
  pb::Command nobody = Command('3');
  nobody.mutable_target()->set_agent_ids(0, std::string(16, 'z'));
  EXPECT_EQ(Submit(nobody).error().code(), api::API_CODE_NOT_FOUND);
  pb::Command blob = Command('4');
  blob.add_blobs()->set_sha256(std::string(32, 'b'));
  EXPECT_EQ(Submit(blob).error().code(), api::API_CODE_NOT_FOUND);
  api::ClientMessage garbage;
  garbage.mutable_submit()->set_envelope("garbage");
  EXPECT_EQ(Ask(garbage).error().code(), api::API_CODE_INVALID);
  EXPECT_TRUE(world_.store().LoadOpenCommands().value().empty());
}

TEST_F(ControlApiTest, PromisesNothingWhileTheDiskIsFull) {
  LogIn();
  world_.store().FailNextCommits(1);
  EXPECT_EQ(Submit(Command('1')).error().code(), api::API_CODE_UNAVAILABLE);
  EXPECT_TRUE(world_.store().LoadOpenCommands().value().empty());
  world_.store().FailNextWrites(1);
  EXPECT_EQ(Submit(Command('1')).error().code(), api::API_CODE_UNAVAILABLE);
  world_.Run(kSecond);
  EXPECT_TRUE(world_.agents()[0]->effects().empty());
  EXPECT_TRUE(Submit(Command('1')).has_submitted());
}

TEST_F(ControlApiTest, BoundsRequestsAndWatches) {
  LogIn();
  for (int i = 0; i < 16; ++i) {
    api::ClientMessage watch;
    watch.mutable_watch()->set_digest(std::string(32, 'w'));
    Send(watch);
  }
  api::ClientMessage one_more;
  one_more.mutable_watch()->set_digest(std::string(32, 'w'));
  EXPECT_EQ(Ask(one_more).error().code(), api::API_CODE_TOO_LARGE);
  EXPECT_EQ(Next().error().code(), api::API_CODE_NOT_FOUND);  // of the others
  while (Next().has_error()) {
  }
  for (int i = 0; i < 65; ++i) {
    api::ClientMessage list;
    list.mutable_list_agents();
    Send(list);
  }
  api::ServerMessage last;
  for (int i = 0; i < 65; ++i) last = Next();
  EXPECT_EQ(last.error().code(), api::API_CODE_TOO_LARGE);
  for (int i = 0; i < 200; ++i) {
    api::ClientMessage list;
    list.mutable_list_agents();
    Send(list);
  }
  EXPECT_TRUE(Closing());
}

TEST_F(ControlApiTest, MakesTokensWithinTheirBounds) {
  LogIn();
  api::ClientMessage create;
  create.mutable_create_token()->set_uses(3);
  create.mutable_create_token()->set_ttl_ms(kHourMs);
  const auto bundle = Ask(create).token_created().bundle();
  EXPECT_EQ(bundle.token().size(), 43U);
  EXPECT_EQ(bundle.token_expires_ms(), world_.now().wall_ms() + kHourMs);
  create.mutable_create_token()->set_uses(0);
  EXPECT_EQ(Ask(create).error().code(), api::API_CODE_INVALID);
  create.mutable_create_token()->set_uses(1);
  create.mutable_create_token()->set_ttl_ms(25 * kHourMs);
  EXPECT_EQ(Ask(create).error().code(), api::API_CODE_INVALID);
  create.mutable_create_token()->set_ttl_ms(kHourMs);
  create.mutable_create_token()->add_labels()->set_key("UPPER");
  EXPECT_EQ(Ask(create).error().code(), api::API_CODE_INVALID);
}

TEST_F(ControlApiTest, RemovesAnAgentForGood) {
  LogIn();
  ASSERT_TRUE(Submit(Command('1')).has_submitted());
  api::ClientMessage remove;
  remove.mutable_remove_agent()->set_agent_id(world_.agents()[0]->id().str());
  EXPECT_TRUE(Ask(remove).has_agent_removed());
  EXPECT_EQ(Ask(remove).error().code(), api::API_CODE_NOT_FOUND);
  world_.Run(5 * kSecond);
  EXPECT_FALSE(world_.agents()[0]->online());
  EXPECT_EQ(Submit(Command('2')).error().code(), api::API_CODE_NOT_FOUND);
  const auto rows = world_.store().ListAudit(0, 100, {});
  const auto& last = rows.value().back();
  EXPECT_EQ(last.action, "agent.removed");
  EXPECT_EQ(last.actor, "ann");
  api::ClientMessage list;
  list.mutable_list_agents();
  EXPECT_EQ(Ask(list).agents().agents_size(), 1);
}

TEST_F(ControlApiTest, ChangesTheFleetOnlyForOperatorsOfTheClassAct) {
  may_act_ = false;
  LogIn();
  api::ClientMessage remove;
  remove.mutable_remove_agent()->set_agent_id(world_.agents()[0]->id().str());
  EXPECT_EQ(Ask(remove).error().code(), api::API_CODE_DENIED);
  api::ClientMessage create;
  create.mutable_create_token()->set_uses(1);
  create.mutable_create_token()->set_ttl_ms(kHourMs);
  EXPECT_EQ(Ask(create).error().code(), api::API_CODE_DENIED);
  api::ClientMessage list;
  list.mutable_list_agents();
  EXPECT_EQ(Ask(list).agents().agents_size(), 2);
}

TEST_F(ControlApiTest, EndsAnUnsentCommandWithItsSignedCancel) {
  LogIn();
  world_.gateways()[0]->Hangup(*world_.agents()[0]);
  world_.agents()[0]->OnClosed();
  for (auto& entry : world_.gateways()[0]->TakeToControl()) {
    world_.core().OnEntry("1-0", entry, world_.now());
  }
  const auto submitted = Submit(Command('1')).submitted();
  EXPECT_EQ(submitted.offline_size(), 1);
  pb::Command cancel = Command('2');
  cancel.mutable_cancel()->set_digest(submitted.digest());
  ASSERT_TRUE(Submit(cancel).has_submitted());
  api::ClientMessage get;
  get.mutable_get_command()->set_digest_prefix(submitted.digest().substr(0, 4));
  const auto detail = Ask(get).command();
  ASSERT_EQ(detail.deliveries_size(), 1);
  EXPECT_EQ(detail.deliveries(0).outcome(), pb::OUTCOME_CANCELLED);
  EXPECT_EQ(detail.summary().ended(), 1U);
}

TEST_F(ControlApiTest, TellsWhyACommandHasNotEnded) {
  LogIn();
  const auto delivery = [&](const std::string& digest) {
    api::ClientMessage get;
    get.mutable_get_command()->set_digest_prefix(digest);
    return Ask(get).command().deliveries(0);
  };
  const std::string sent = Submit(Command('1')).submitted().digest();
  pb::Command cancel = Command('2');
  cancel.mutable_cancel()->set_digest(sent);
  const std::string held = Submit(cancel).submitted().digest();
  EXPECT_EQ(delivery(sent).state(), api::DELIVERY_STATE_SENT);
  EXPECT_TRUE(delivery(sent).waiting().online());
  EXPECT_EQ(delivery(sent).waiting().offline_since_ms(), 0U);
  EXPECT_FALSE(delivery(sent).waiting().held());
  EXPECT_EQ(delivery(held).state(), api::DELIVERY_STATE_ACCEPTED);
  EXPECT_TRUE(delivery(held).waiting().held());

  world_.KeepAway(*world_.agents()[0], 3600 * kSecond);
  world_.Run(kSecond);
  const std::uint64_t now_ms = world_.now().wall_ms();
  const std::string queued = Submit(Command('3')).submitted().digest();
  const api::Waiting waiting = delivery(queued).waiting();
  EXPECT_FALSE(waiting.online());
  EXPECT_LE(waiting.offline_since_ms(), now_ms);
  EXPECT_GE(waiting.offline_since_ms(), now_ms - 1000);
  EXPECT_EQ(waiting.ahead(), 2U);
  EXPECT_FALSE(delivery(sent).waiting().online());

  world_.agents()[0]->LoseJournal(now_ms);  // it ends all that was sent
  world_.KeepAway(*world_.agents()[0], kSecond);
  world_.Run(30 * kSecond);
  EXPECT_EQ(delivery(sent).state(), api::DELIVERY_STATE_ENDED);
  EXPECT_FALSE(delivery(sent).has_waiting());
}

TEST_F(ControlApiTest, ListsCommandsAndTheAuditOfOne) {
  LogIn();
  ASSERT_TRUE(Submit(Command('1')).has_submitted());
  const auto digest = Submit(Command('2')).submitted().digest();
  world_.Run(30 * kSecond);
  api::ClientMessage list;
  list.mutable_list_commands();
  EXPECT_EQ(Ask(list).commands().commands_size(), 2);
  list.mutable_list_commands()->set_open_only(true);
  EXPECT_EQ(Ask(list).commands().commands_size(), 0);
  api::ClientMessage audit;
  audit.mutable_list_audit()->set_digest(digest);
  const auto page = Ask(audit).audit();
  ASSERT_GE(page.records_size(), 5);
  EXPECT_EQ(page.records(0).action(), "command.accepted");
  EXPECT_NE(page.records(0).detail().find("query \"SELECT 1\""), std::string::npos);
  api::ClientMessage get;
  get.mutable_get_command()->set_digest_prefix("x");
  EXPECT_EQ(Ask(get).error().code(), api::API_CODE_INVALID);
}

TEST_F(ControlApiTest, TakesUploadsInOrderAndSealsThemByTheirHash) {
  LogIn();
  const std::string content(300'000, 'c');
  const Digest sha256 = world_.crypto().Sha256(content);
  api::ClientMessage part;
  part.mutable_blob_part()->set_sha256(sha256.str());
  part.mutable_blob_part()->set_data(content.substr(0, 200'000));
  EXPECT_EQ(Ask(part).error().code(), api::API_CODE_INVALID);  // begin first
  api::ClientMessage begin;
  begin.mutable_blob_begin()->set_sha256(sha256.str());
  begin.mutable_blob_begin()->set_size(content.size());
  EXPECT_EQ(Ask(begin).blob_state().have_bytes(), 0U);
  Send(part);
  world_.core().OnFileDone(world_.files().RunOne(), world_.now());
  EXPECT_EQ(Next().blob_state().have_bytes(), 200'000U);
  EXPECT_EQ(Ask(part).error().code(), api::API_CODE_INVALID);  // not at its place
  EXPECT_EQ(Ask(begin).blob_state().have_bytes(), 200'000U);
  part.mutable_blob_part()->set_offset(200'000);
  part.mutable_blob_part()->set_data(content.substr(200'000));
  Send(part);
  world_.core().OnFileDone(world_.files().RunOne(), world_.now());
  EXPECT_TRUE(Next().blob_state().complete());
  EXPECT_TRUE(Ask(begin).blob_state().complete());
}

TEST_F(ControlApiTest, TakesNoUploadOfAnOperatorWithoutAVerbThatNeedsContent) {
  may_act_ = false;
  LogIn();
  api::ClientMessage begin;
  begin.mutable_blob_begin()->set_sha256(std::string(32, 's'));
  begin.mutable_blob_begin()->set_size(std::uint64_t{1} << 34);
  EXPECT_EQ(Ask(begin).error().code(), api::API_CODE_DENIED);
  api::ClientMessage part;
  part.mutable_blob_part()->set_sha256(std::string(32, 's'));
  part.mutable_blob_part()->set_data("abc");
  EXPECT_EQ(Ask(part).error().code(), api::API_CODE_DENIED);
}

// What the failed sync lost would be taken for synced the next time.
TEST_F(ControlApiTest, BeginsAnUploadAnewWhoseSealFailed) {
  LogIn();
  const std::string content(3000, 'c');
  const Digest sha256 = world_.crypto().Sha256(content);
  api::ClientMessage begin;
  begin.mutable_blob_begin()->set_sha256(sha256.str());
  begin.mutable_blob_begin()->set_size(content.size());
  EXPECT_EQ(Ask(begin).blob_state().have_bytes(), 0U);
  api::ClientMessage part;
  part.mutable_blob_part()->set_sha256(sha256.str());
  part.mutable_blob_part()->set_data(content);
  world_.files().FailNextJobs(1);
  Send(part);
  world_.core().OnFileDone(world_.files().RunOne(), world_.now());
  EXPECT_EQ(Next().error().code(), api::API_CODE_UNAVAILABLE);
  EXPECT_EQ(Ask(begin).blob_state().have_bytes(), 0U);
}

TEST_F(ControlApiTest, RefusesAnUploadWithOtherContent) {
  LogIn();
  api::ClientMessage begin;
  begin.mutable_blob_begin()->set_sha256(std::string(32, 's'));
  begin.mutable_blob_begin()->set_size(3);
  EXPECT_EQ(Ask(begin).blob_state().have_bytes(), 0U);
  api::ClientMessage part;
  part.mutable_blob_part()->set_sha256(std::string(32, 's'));
  part.mutable_blob_part()->set_data("abc");
  Send(part);
  world_.core().OnFileDone(world_.files().RunOne(), world_.now());
  EXPECT_EQ(Next().error().code(), api::API_CODE_INVALID);
  EXPECT_EQ(Ask(begin).blob_state().have_bytes(), 0U);
}

TEST_F(ControlApiTest, UploadsWhoseHashesBeginAlikeDoNotMeetInOneFile) {
  LogIn();
  const std::string content(3000, 'c');
  const Digest sha256 = world_.crypto().Sha256(content);
  const std::string alike = sha256.str().substr(0, 16) + std::string(16, 'x');
  const auto begin = [](const std::string& name) {
    api::ClientMessage message;
    message.mutable_blob_begin()->set_sha256(name);
    message.mutable_blob_begin()->set_size(3000);
    return message;
  };
  const auto part = [&content](const std::string& name) {
    api::ClientMessage message;
    message.mutable_blob_part()->set_sha256(name);
    message.mutable_blob_part()->set_data(content.substr(0, 1000));
    return message;
  };
  EXPECT_TRUE(Ask(begin(alike)).has_blob_state());
  Send(part(alike));
  // While that is being written, the other one waits.
  EXPECT_EQ(Ask(begin(sha256.str())).error().code(), api::API_CODE_UNAVAILABLE);
  world_.core().OnFileDone(world_.files().RunOne(), world_.now());
  EXPECT_EQ(Next().blob_state().have_bytes(), 1000U);
  // After it, it takes the place, and nothing of it is left.
  EXPECT_EQ(Ask(begin(sha256.str())).blob_state().have_bytes(), 0U);
  EXPECT_EQ(Ask(part(alike)).error().code(), api::API_CODE_INVALID);
  api::ClientMessage whole = part(sha256.str());
  whole.mutable_blob_part()->set_data(content);
  Send(whole);
  world_.core().OnFileDone(world_.files().RunOne(), world_.now());
  EXPECT_TRUE(Next().blob_state().complete());
}

// A cut in the middle of a character would make the whole answer unreadable, for everybody.
TEST_F(ControlApiTest, ListsCommandsWhateverCharacterTheirDetailIsCutAt) {
  LogIn();
  for (const std::string pad : {"", "x"}) {
    pb::Command command = Command(pad.empty() ? '1' : '2');
    std::string sql = "SELECT '" + pad;
    for (int i = 0; i < 400; ++i) sql += "\xd0\xb6";
    command.mutable_query()->set_sql(sql + "'");
    ASSERT_TRUE(Submit(command).has_submitted());
  }
  api::ClientMessage list;
  list.mutable_list_commands();
  EXPECT_EQ(Ask(list).commands().commands_size(), 2);
}

TEST_F(ControlApiTest, ListsTheAuditWhateverCharacterItIsCutAt) {
  LogIn();
  for (int pad = 0; pad < 2; ++pad) {
    pb::Command command = Command(static_cast<char>('4' + pad));
    std::string sql(static_cast<std::size_t>(38'000 + pad), '\x01');
    while (sql.size() < 58'000) sql += "\xd0\xb6";
    command.mutable_query()->set_sql(sql);
    ASSERT_TRUE(Submit(command).has_submitted());
  }
  api::ClientMessage list;
  list.mutable_list_audit();
  EXPECT_GE(Ask(list).audit().records_size(), 2);
}

TEST_F(ControlApiTest, AnswersAClaimThatComesAgain) {
  SimAgent& agent = *world_.agents()[0];
  world_.KeepAway(agent, 3600 * kSecond);
  world_.Run(2 * kSecond);
  world_.gateways()[0]->Dial(agent);
  const auto entries = world_.gateways()[0]->TakeToControl();
  const auto granted = [this, &entries](const std::string& id) {
    for (const auto& entry : entries) world_.core().OnEntry(id, entry, world_.now());
    world_.core().EndTurn(world_.now());
    std::string contacts;
    while (const auto route = world_.core().NextOut()) {
      route::v1::ToGateway message;
      if (route->kind != backend::RouteOut::Kind::kAdd) continue;
      if (message.ParseFromString(route->bytes)) contacts += message.claim_answer().contact();
    }
    return contacts;
  };
  const std::string first = granted("9-0");
  EXPECT_EQ(first.size(), Nonce16::kSize);
  EXPECT_EQ(granted("9-1"), first);  // the answer was lost; nothing new is to be committed
}

TEST_F(ControlApiTest, GrantsNothingToAnAgentThatIsRemovedInTheSameTurn) {
  LogIn();
  SimAgent& agent = *world_.agents()[0];
  world_.KeepAway(agent, 3600 * kSecond);
  world_.Run(2 * kSecond);
  ASSERT_FALSE(agent.online());
  world_.gateways()[0]->Dial(agent);
  for (const auto& entry : world_.gateways()[0]->TakeToControl()) {
    world_.core().OnEntry("9-0", entry, world_.now());
  }
  api::ClientMessage remove;
  remove.mutable_remove_agent()->set_agent_id(agent.id().str());
  Send(remove);
  world_.core().EndTurn(world_.now());
  int answers = 0;
  while (const auto route = world_.core().NextOut()) {
    route::v1::ToGateway message;
    if (route->kind != backend::RouteOut::Kind::kAdd || !message.ParseFromString(route->bytes)) {
      continue;
    }
    if (!message.has_claim_answer()) continue;
    ++answers;
    EXPECT_FALSE(message.claim_answer().granted());
    EXPECT_EQ(message.claim_answer().reason(), link::v1::CLOSE_REASON_REVOKED);
  }
  EXPECT_EQ(answers, 1);
}

// What leaves for gateways of what was typed: (seq, sealed).
std::vector<std::pair<std::uint64_t, std::string>> TypedOut(backend::ControlCore& core) {
  std::vector<std::pair<std::uint64_t, std::string>> out;
  while (const auto route = core.NextOut()) {
    route::v1::ToGateway message;
    if (route->kind != backend::RouteOut::Kind::kAdd || !message.ParseFromString(route->bytes)) {
      continue;
    }
    for (const std::string& bytes : message.send().frames()) {
      link::v1::Frame frame;
      if (!frame.ParseFromString(bytes) || !frame.has_pty_input()) continue;
      out.emplace_back(frame.pty_input().seq(), frame.pty_input().sealed());
    }
  }
  return out;
}

TEST_F(ControlApiTest, PassesOnWhatIsTypedIntoARunningTerminalOfItsOperatorAlone) {
  LogIn();
  pb::Command command = Command('t');
  command.clear_verb();
  command.mutable_pty()->set_term("xterm");
  const std::string digest = Submit(command).submitted().digest();
  ASSERT_EQ(digest.size(), Digest::kSize);
  SimAgent& agent = *world_.agents()[0];
  api::ClientMessage typed;
  auto& input = *typed.mutable_pty_input();
  input.set_digest(digest);
  input.set_agent_id(agent.id().str());
  input.add_records()->set_seq(7);
  input.mutable_records(0)->set_sealed(std::string(20, 's'));
  const auto sent = [&](const api::ClientMessage& message) {
    TypedOut(world_.core());
    Send(message);
    EXPECT_EQ(Next().id(), 0U);  // no answer
    return TypedOut(world_.core());
  };
  EXPECT_TRUE(sent(typed).empty());  // it does not run yet
  route::v1::ToControl up;
  up.set_gateway(world_.gateways()[0]->instance());
  up.mutable_from_agent()->set_agent_id(agent.id().str());
  up.mutable_from_agent()->set_epoch(agent.epoch());
  for (std::uint64_t seq = 0; seq < 2; ++seq) {
    link::v1::Frame frame;
    frame.mutable_up()->set_digest(digest);
    frame.mutable_up()->set_attempt(1);
    frame.mutable_up()->set_seq(seq);
    if (seq == 0) frame.mutable_up()->mutable_received()->set_at_ms(1);
    if (seq == 1) frame.mutable_up()->mutable_started()->set_at_ms(1);
    up.mutable_from_agent()->add_frames(frame.SerializeAsString());
  }
  world_.core().OnEntry("9-0", up.SerializeAsString(), world_.now());
  backend::Moment later = world_.now();
  later.at += kSecond;  // receipts may wait for what follows them
  world_.core().EndTurn(later);
  using Out = std::vector<std::pair<std::uint64_t, std::string>>;
  EXPECT_EQ(sent(typed), (Out{{7, std::string(20, 's')}}));
  api::ClientMessage wrong = typed;
  wrong.mutable_pty_input()->set_agent_id(world_.agents()[1]->id().str());  // no target of it
  EXPECT_TRUE(sent(wrong).empty());
  wrong = typed;
  wrong.mutable_pty_input()->mutable_records(0)->set_sealed(std::string(4001, 's'));
  EXPECT_TRUE(sent(wrong).empty());
  wrong = typed;
  for (int i = 0; i < 32; ++i) *wrong.mutable_pty_input()->add_records() = input.records(0);
  EXPECT_TRUE(sent(wrong).empty());
  EXPECT_FALSE(Closing());
}

}  // namespace
}  // namespace holdfast::testing
