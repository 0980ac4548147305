#include "backend/core/source_admission.h"

#include <algorithm>

namespace holdfast::backend {

SourceAdmission::Verdict SourceAdmission::Ask(const std::string& source, Ticket ticket,
                                              TimePoint now) {
  const auto found = sources_.find(source);
  if (found == sources_.end()) return Verdict::kGo;
  Source& known = found->second;
  if (HasRoom(known) && known.waiting.empty()) return Verdict::kGo;
  if (waiting_ >= max_waiting_ || known.waiting.size() >= max_waiting_of_one()) {
    return Verdict::kRefuse;
  }
  known.waiting.emplace_back(ticket, now);
  ++waiting_;
  return Verdict::kWait;
}

void SourceAdmission::Started(Owner owner, const std::string& source) {
  ++sources_[source].in_flight;
  ++owners_[owner][source];
}

void SourceAdmission::Done(Owner owner, const std::string& source) {
  const auto of_owner = owners_.find(owner);
  if (of_owner == owners_.end()) return;
  const auto found = of_owner->second.find(source);
  if (found == of_owner->second.end()) return;
  if (--found->second == 0) of_owner->second.erase(found);
  Release(source, 1);
}

void SourceAdmission::OwnerGone(Owner owner) {
  const auto found = owners_.find(owner);
  if (found == owners_.end()) return;
  const auto held = std::move(found->second);
  owners_.erase(found);
  for (const auto& [source, count] : held) Release(source, count);
}

void SourceAdmission::SetLimit(std::uint32_t limit) {
  limit_ = limit;
  for (auto& [name, source] : sources_) List(name, source);
}

void SourceAdmission::List(const std::string& name, Source& source) {
  if (source.is_listed || source.waiting.empty() || !HasRoom(source)) return;
  source.is_listed = true;
  ready_.push_back(name);
}

void SourceAdmission::Release(const std::string& name, std::uint32_t count) {
  Source& source = sources_.at(name);
  source.in_flight -= std::min(source.in_flight, count);
  List(name, source);
  Forget(name);
}

void SourceAdmission::Forget(const std::string& name) {
  const auto found = sources_.find(name);
  if (found == sources_.end()) return;
  const Source& source = found->second;
  if (source.in_flight == 0 && source.waiting.empty() && !source.is_listed) sources_.erase(found);
}

std::optional<SourceAdmission::Waiter> SourceAdmission::NextReady() {
  while (!ready_.empty()) {
    const std::string name = std::move(ready_.front());
    ready_.pop_front();
    Source& source = sources_.at(name);
    source.is_listed = false;
    if (source.waiting.empty() || !HasRoom(source)) {
      Forget(name);
      continue;
    }
    const Ticket ticket = source.waiting.front().first;
    source.waiting.pop_front();
    --waiting_;
    List(name, source);  // again, behind the others
    return Waiter{ticket, name};
  }
  return std::nullopt;
}

std::optional<SourceAdmission::Ticket> SourceAdmission::NextExpired(TimePoint now) {
  for (auto& [name, source] : sources_) {
    if (source.waiting.empty() || now - source.waiting.front().second < kPatience) continue;
    const Ticket ticket = source.waiting.front().first;
    source.waiting.pop_front();
    --waiting_;
    Forget(std::string(name));
    return ticket;
  }
  return std::nullopt;
}

}  // namespace holdfast::backend
