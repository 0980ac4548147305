#include "tests/support/control_world.h"

#include <algorithm>
#include <set>
#include <utility>

#include "backend/core/control_audit.h"
#include "backend/core/control_restored.h"

namespace holdfast::testing {

using backend::RouteOut;

namespace {
constexpr std::size_t kKeptForRepeats = 30;  // entries that a restarted reader finds again
}

void ControlWorld::Counts::Add(const Counts& other) {
  control_crashes += other.control_crashes, gateway_deaths += other.gateway_deaths;
  flushes += other.flushes, repeats += other.repeats, outages += other.outages;
  swaps += other.swaps, agent_cuts += other.agent_cuts, agent_restarts += other.agent_restarts;
  journals_lost += other.journals_lost, failed_commits += other.failed_commits;
  failed_jobs += other.failed_jobs, done += other.done, expired += other.expired;
  interrupted += other.interrupted, resends += other.resends, files_sealed += other.files_sealed;
}

ControlWorld::ControlWorld(Options options)
    : random_(options.seed),
      crypto_(options.seed),
      fleet_(crypto_),
      trust_(fleet_.Trust(fleet_.GoodPolicy())),
      files_(crypto_),
      now_{TimePoint(std::chrono::seconds(1000)), WallTime(kNowMs)},
      api_(options.api),
      default_output_bytes_(options.default_output_bytes),
      analyst_(crypto_, fleet_) {
  settings_.server_name = "server";
  settings_.version = "test";
  // One token that all agents share, as `holdfast enrol token --uses N` gives.
  backend::Tokens tokens({}, store_, crypto_);
  backend::Tokens::Wanted wanted;
  wanted.uses = static_cast<std::uint32_t>(options.agents);
  wanted.ttl_ms = kHourMs;
  const std::string token = tokens.Create(wanted, now_).value().token;
  HF_CHECK(store_.Commit().ok());
  Boot();
  for (int i = 0; i < options.gateways; ++i) {
    gateways_.push_back(std::make_unique<SimGateway>("h.g" + std::to_string(i) + "." +
                                                     std::to_string(++gateways_made_)));
  }
  for (int i = 0; i < options.agents; ++i) {
    agents_.push_back(
        std::make_unique<SimAgent>(crypto_, fleet_.fleet_id, token, random_(), options.work));
  }
}

// A control process starts: from the store, with a stream of its own.
void ControlWorld::Boot() {
  backend::ControlCore::Options options;
  options.instance = "h.c0." + std::to_string(++boots_);
  options.sessions.fleet_id = fleet_.fleet_id;
  // Small figures, so that small outputs reach every path.
  options.results.inline_bytes = 4096;
  options.results.job_bytes = 8192;
  options.results.credit_bytes = 48 * 1024;
  options.results.min_window_bytes = 4 * 1024;
  options.results.max_window_bytes = 16 * 1024;
  options.results.max_waiting_bytes = 300 * 1024;
  options.results.default_output_bytes = default_output_bytes_;
  options.api = api_;
  core_ = std::make_unique<backend::ControlCore>(
      std::move(options),
      backend::ControlCore::Ports{store_, files_, crypto_, trust_, settings_, &counters_});
  while (core_->LoadMore().value()) {
  }
  to_control_.clear();
  read_.clear();
  core_->OnTransport(connected_, now_);
  connection_ = static_cast<std::uint64_t>(boots_);
  analyst_.OnConnected();
  HF_CHECK(core_->OnApiOpened(connection_, "analyst", now_));
  // The supervisor tells the gateways which control is current.
  for (auto& gateway : gateways_) gateway->SayUp();
}

void ControlWorld::CrashControl() {
  ++counts.control_crashes;
  core_.reset();
  store_.Crash();
  files_.Crash();
  Boot();
}

void ControlWorld::RestoreFrom(const FakeStore& copy) {
  core_.reset();
  store_ = copy;
  store_.Crash();  // what was not committed is in no copy
  HF_CHECK(backend::BeginAnew(store_, crypto_, now_.wall_ms(), now_).ok());
  for (auto& agent : agents_) agent->OnClosed();
  for (auto& gateway : gateways_) {
    gateway = std::make_unique<SimGateway>("h.g." + std::to_string(++gateways_made_));
  }
  to_gateway_.clear();
  gateway_read_.clear();
  files_.Crash();
  analyst_.ForgetAll();
  Boot();
}

void ControlWorld::CrashAtCommit(int n, bool before) {
  crashed_at_commit_ = false;
  store_.DieAtCommit(n, before);
}

// --- time passes ----------------------------------------------------------------------------------

void ControlWorld::Run(Duration length) {
  for (Duration done{0}; done < length; done += kStep) Step();
}

void ControlWorld::Step() {
  now_.at += kStep;
  now_.wall = WallTime(now_.wall_ms() + static_cast<std::uint64_t>(kStep.count()));
  if (!connected_ && now_.at >= outage_until_) {
    connected_ = true;
    core_->OnTransport(true, now_);
    for (std::string& entry : std::exchange(read_, {})) to_control_.push_front(std::move(entry));
  }
  MoveAgents();
  MoveToControl();
  MoveApi();
  core_->OnTick(now_);
  EndTurn();
  while (files_.has_jobs() && !Chance(30)) {
    backend::FileDone done = files_.RunOne();
    counts.failed_jobs += done.status.ok() ? 0 : 1;
    core_->OnFileDone(std::move(done), now_);
    EndTurn();
  }
  DeliverDown();
}

void ControlWorld::MoveAgents() {
  const bool says_up = now_.at - said_up_ >= std::chrono::seconds(5);
  if (says_up) said_up_ = now_.at;
  for (auto& gateway : gateways_) {
    if (says_up) gateway->SayUp();
  }
  for (auto& agent : agents_) {
    agent->Work();
    SimGateway* at = nullptr;
    for (auto& gateway : gateways_) {
      if (gateway->holds(*agent)) at = gateway.get();
    }
    if (!agent->online() && now_.at >= dial_at_[agent.get()]) {
      for (auto& gateway : gateways_) gateway->Hangup(*agent);
      gateways_[random_() % gateways_.size()]->Dial(*agent);
      dial_at_[agent.get()] = now_.at + std::chrono::milliseconds(500 + random_() % 3000);
    } else if (agent->online() && at != nullptr) {
      at->Carry(*agent, agent->TakeFrames(now_.at));
    }
  }
  for (auto& gateway : gateways_) {
    for (std::string& entry : gateway->TakeToControl()) {
      if (connected_) to_control_.push_back(std::move(entry));
    }
  }
}

void ControlWorld::MoveToControl() {
  if (!connected_) return;
  std::size_t batch = to_control_.size() - (Chance(20) ? to_control_.size() / 2 : 0);
  for (; batch > 0; --batch) {
    core_->OnEntry(std::to_string(++entries_) + "-0", to_control_.front(), now_);
    read_.push_back(std::move(to_control_.front()));
    to_control_.pop_front();
    if (read_.size() > kKeptForRepeats) read_.pop_front();
    if (Chance(10)) EndTurn();
  }
}

void ControlWorld::MoveApi() {
  for (const std::string& message : analyst_.TakeMessages()) {
    core_->OnApiMessage(connection_, message, now_);
  }
}

void ControlWorld::EndTurn() {
  core_->EndTurn(now_);
  counts.failed_commits =
      std::max<int>(counts.failed_commits, static_cast<int>(core_->figures().failed_commits));
  (void)core_->TakeLogs();
  if (store_.died()) {
    // It died in the commit: nothing of this turn gets out.
    crashed_at_commit_ = true;
    store_.DieAtCommit(0, false);
    return CrashControl();
  }
  while (auto out = core_->NextOut()) {
    if (!connected_ || out->kind != RouteOut::Kind::kAdd) continue;
    to_gateway_[out->gateway].push_back(std::move(out->bytes));
  }
  counts.resends = std::max<int>(counts.resends, static_cast<int>(core_->figures().sweeper_sends));
  for (int i = 0; i < 16 && !Chance(20); ++i) {
    const auto message = core_->NextApiMessage(connection_);
    if (!message) break;
    analyst_.OnMessage(*message);
  }
}

void ControlWorld::DeliverDown() {
  if (!connected_) return;
  for (auto& gateway : gateways_) {
    auto& stream = to_gateway_[gateway->instance()];
    auto& kept = gateway_read_[gateway->instance()];
    while (!stream.empty()) {
      route::v1::ToGateway message;
      HF_CHECK(message.ParseFromString(stream.front()));
      kept.push_back(std::move(stream.front()));
      stream.pop_front();
      if (kept.size() > kKeptForRepeats) kept.pop_front();
      gateway->OnToGateway(message, now_.wall_ms(), now_.at);
    }
  }
}

// --- what goes wrong ------------------------------------------------------------------------------

void ControlWorld::BreakSomething() {
  SimAgent& agent = *agents_[random_() % agents_.size()];
  switch (random_() % 12) {
    case 0: return CrashControl();
    case 1: {  // a gateway dies: its links break, its stream is never read again
      ++counts.gateway_deaths;
      auto& gateway = gateways_[random_() % gateways_.size()];
      for (auto& other : agents_) {
        if (gateway->knows(other.get())) other->OnClosed();
      }
      gateway = std::make_unique<SimGateway>("h.g." + std::to_string(++gateways_made_));
      return gateway->SayUp();
    }
    case 2:  // FLUSHALL
      ++counts.flushes;
      to_control_.clear();
      read_.clear();
      to_gateway_.clear();
      return gateway_read_.clear();
    case 3:  // the readers start again at 0
      ++counts.repeats;
      while (!read_.empty()) {
        to_control_.push_front(std::move(read_.back()));
        read_.pop_back();
      }
      for (auto& [instance, kept] : gateway_read_) {
        auto& stream = to_gateway_[instance];
        stream.insert(stream.begin(), kept.begin(), kept.end());
        kept.clear();
      }
      return;
    case 4:
      ++counts.outages;
      connected_ = false;
      outage_until_ = now_.at + std::chrono::milliseconds(random_() % 20000);
      return core_->OnTransport(false, now_);
    case 5:  // batches overtake each other
      ++counts.swaps;
      std::rotate(to_control_.begin(),
                  to_control_.begin() + static_cast<std::ptrdiff_t>(to_control_.size() / 2),
                  to_control_.end());
      return;
    case 6:
    case 7:  // the link breaks; its gateway notices
      ++counts.agent_cuts;
      return KeepAway(agent, std::chrono::milliseconds(random_() % 15000));
    case 8:
      ++counts.agent_restarts;
      for (auto& gateway : gateways_) gateway->Hangup(agent);
      return agent.Restart();
    case 9:
      if (!Chance(30)) return;
      ++counts.journals_lost;
      for (auto& gateway : gateways_) gateway->Hangup(agent);
      return agent.LoseJournal(now_.wall_ms());
    case 10: return store_.FailNextCommits(1 + static_cast<int>(random_() % 3));
    default: return files_.FailNextJobs(1 + static_cast<int>(random_() % 3));
  }
}

void ControlWorld::Heal() {
  connected_ = true;
  outage_until_ = now_.at;
  core_->OnTransport(true, now_);
  store_.FailNextCommits(0);
  files_.FailNextJobs(0);
  analyst_.Repeat();
}

pb::Command ControlWorld::NewCommand() {
  pb::Command command = fleet_.GoodCommand();
  std::string id = command.command_id();
  const std::uint32_t number = ++commands_made_;
  for (std::size_t i = 0; i < 4; ++i) id[i] = static_cast<char>(number >> (8 * i) & 255);
  command.set_command_id(id);
  command.mutable_target()->clear_agent_ids();
  command.set_issued_at_ms(now_.wall_ms());
  command.set_not_after_ms(now_.wall_ms() + kHourMs);
  return command;
}

void ControlWorld::SubmitOne() {
  pb::Command command = NewCommand();
  for (auto& agent : agents_) {
    if (Chance(60)) command.mutable_target()->add_agent_ids(agent->id().str());
  }
  if (command.target().agent_ids_size() == 0) {
    command.mutable_target()->add_agent_ids(agents_.front()->id().str());
  }
  if (Chance(30)) command.set_not_after_ms(now_.wall_ms() + 3000 + random_() % 10000);
  (void)analyst_.Submit(command);
}

void ControlWorld::SubmitTo(const SimAgent& agent) {
  pb::Command command = NewCommand();
  command.mutable_target()->add_agent_ids(agent.id().str());
  (void)analyst_.Submit(command);
}

void ControlWorld::KeepAway(SimAgent& agent, Duration time) {
  for (auto& gateway : gateways_) {
    if (gateway->knows(&agent)) gateway->Hangup(agent);
  }
  agent.OnClosed();
  dial_at_[&agent] = now_.at + time;
}

// --- what must hold -------------------------------------------------------------------------------

bool ControlWorld::Quiet() const {
  for (const auto& [digest, job] : analyst_.jobs()) {
    if (job.accepted && !job.finished) return false;
  }
  return std::all_of(agents_.begin(), agents_.end(),
                     [](const auto& agent) { return agent->open_streams() == 0; });
}

std::string ControlWorld::Check() {
  std::string wrong = CheckAudit();
  for (const auto& [digest, job] : analyst_.jobs()) {
    if (job.accepted) wrong += CheckJob(digest, job);
  }
  for (const auto& agent : agents_) {
    for (const auto& [digest, count] : agent->effects()) {
      if (count > 1) wrong += "I2: a command took effect twice\n";
    }
    if (agent->open_streams() > 0) {
      wrong += agent->id().hex().substr(0, 4) + (agent->online() ? "" : " (offline)") +
               " keeps a stream that control has:" + agent->Describe() + "\n";
    }
  }
  counts.files_sealed = static_cast<int>(files_.sealed());
  return wrong;
}

std::string ControlWorld::CheckJob(const Digest& digest, const SimAnalyst::Job& job) {
  if (!job.finished) {
    std::string wrong = "I1: accepted, without an end: " + digest.hex().substr(0, 8);
    for (const auto& [agent, seen] : job.targets) {
      wrong +=
          " (" + agent.hex().substr(0, 4) + " " + api::v1::DeliveryState_Name(seen.state) + ")";
    }
    wrong += "; in the store:";
    const auto rows = store_.DeliveriesOf(digest);
    for (const auto& row : rows.value()) {
      const auto agent = std::find_if(agents_.begin(), agents_.end(),
                                      [&](const auto& a) { return a->id() == row.agent_id; });
      wrong += " (" + row.agent_id.hex().substr(0, 4) + " state " +
               std::to_string(static_cast<int>(row.state)) + " attempt " +
               std::to_string(row.attempt) + " next " + std::to_string(row.next_seq) +
               ((*agent)->online() ? " online)" : " offline)");
    }
    return wrong + "\n";
  }
  std::string wrong;
  for (const auto& [agent_id, seen] : job.targets) {
    const auto agent = std::find_if(agents_.begin(), agents_.end(),
                                    [&id = agent_id](const auto& a) { return a->id() == id; });
    const bool ran = (*agent)->effects().contains(digest);
    if (seen.endings != 1) wrong += "I1: ended " + std::to_string(seen.endings) + " times\n";
    if (seen.outcome == pb::OUTCOME_DONE) {
      ++counts.done;
      if (!ran) wrong += "done, and never ran\n";
      if (seen.output != (*agent)->outputs().at(digest))
        wrong += "I3: other bytes than the source\n";
    } else if (seen.outcome == pb::OUTCOME_EXPIRED) {
      ++counts.expired;
      if (ran) wrong += "expired, and yet it ran\n";
    } else if (seen.outcome == pb::OUTCOME_INTERRUPTED) {
      ++counts.interrupted;
      const bool by_itself = seen.failure == pb::COMMAND_FAILURE_INTERRUPTED;
      const bool is_true = by_itself ? (*agent)->interrupted(digest)
                                     : seen.failure == pb::COMMAND_FAILURE_JOURNAL_LOST &&
                                           (*agent)->journals_lost() > 0;
      if (!is_true) {
        wrong += "interrupted, and nothing had happened to its agent: " +
                 store_.FindDelivery(digest, agent_id).value()->message + "\n";
      }
    } else if (seen.failure == pb::COMMAND_FAILURE_BEFORE_BIRTH) {
      if (ran) wrong += "refused, and yet it ran\n";
    } else {
      const auto row = store_.FindDelivery(digest, agent_id);
      wrong += "an outcome that nobody gave: " + row.value()->message + "\n";
    }
  }
  return wrong;
}

std::string ControlWorld::CheckAudit() {
  std::string wrong;
  Digest previous;
  std::uint64_t seq = 0;
  std::map<std::pair<std::string, std::string>, int> ended;
  std::set<std::string> accepted;
  const auto rows = store_.ListAudit(0, 1'000'000, {});
  for (const backend::AuditRow& row : rows.value()) {
    if (row.seq != ++seq || row.prev_hash != previous ||
        row.hash != backend::AuditHash(crypto_, row)) {
      return "I5: the audit chain breaks at " + std::to_string(row.seq) + "\n";
    }
    previous = row.hash;
    if (row.action == "command.accepted") accepted.insert(row.digest);
    if (!row.digest.empty() && !accepted.contains(row.digest)) wrong += "I5: no acceptance\n";
    if (row.action == "command.ended" && ++ended[{row.digest, row.agent_id}] > 1) {
      wrong += "I5: ended twice\n";
    }
  }
  for (const auto& [digest, job] : analyst_.jobs()) {
    for (const auto& [agent, seen] : job.targets) {
      if (ended[{digest.str(), agent.str()}] != 1) wrong += "I5: no record of an end\n";
    }
  }
  return wrong;
}

}  // namespace holdfast::testing
