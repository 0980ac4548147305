// What of the kernel no file and no netlink message tells: rules of ip_tables, programs of BPF.
//
// Limits:    kMaxIptablesBytes of rules, kMaxBpfPrograms.
// Errors:    an errno, or 0.
#pragma once

#include <string>
#include <vector>

#include "agent/tables/machine.h"

namespace holdfast::agent {

// struct ipt_getinfo, and the entries behind it.
int ReadIptables(const std::string& table, std::string& out);
int ReadBpfPrograms(std::vector<BpfProgram>& out);

}  // namespace holdfast::agent
