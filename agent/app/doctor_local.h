// The doctor's steps on this machine: state, identity, bundle, policy, disk, journal, clock.
//
// Changes nothing but a file of its own, which it takes away again; safe beside a running agent.
#pragma once

#include <optional>
#include <vector>

#include "agent/app/doctor_report.h"
#include "agent/app/link_routes.h"
#include "common/sign/crypto.h"
#include "holdfast/command/v1/trust.pb.h"

namespace holdfast::agent {

// What the steps on the network need. Nothing of it is secret but the proxy's password.
struct DoctorLocal {
  ::holdfast::command::v1::Bundle bundle;
  LinkRoutes routes;
};
// nullopt: there is nothing to look further for.
std::optional<DoctorLocal> LookAtMachine(const sign::Crypto& crypto, const std::string& path,
                                         DoctorReport& report);

// offset: how far this machine's clock is ahead of the server's.
DoctorStep JudgeClock(std::int64_t offset_ms);

}  // namespace holdfast::agent
