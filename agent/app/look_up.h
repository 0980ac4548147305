// LookUp: the addresses of a host, as text; none if nobody knows it. Blocks as getaddrinfo(3) does.
#pragma once

#include <string>
#include <vector>

namespace holdfast::agent {

std::vector<std::string> LookUp(const std::string& host);

}  // namespace holdfast::agent
