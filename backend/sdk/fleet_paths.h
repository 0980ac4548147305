// Every path inside a fleet directory, in one place. docs/protocol.md section 8 shows the whole.
#pragma once

#include <string>

namespace holdfast::sdk {

struct FleetPaths {
  std::string dir;

  std::string fleet_toml() const { return dir + "/fleet.toml"; }
  std::string root_key(int number) const {
    return dir + "/offline/root-" + std::to_string(number) + ".key";
  }
  std::string issuer_key() const { return dir + "/issuer/issuer.key"; }
  std::string operators() const { return dir + "/operator"; }
  std::string operator_key(const std::string& name) const {
    return operators() + "/" + name + ".key";
  }
  std::string operator_cert(const std::string& name) const {
    return operators() + "/" + name + ".cert";
  }
  std::string pending() const { return dir + "/operator/pending"; }
  std::string update_root() const { return dir + "/update/root.env"; }
  std::string ca_key() const { return dir + "/tls/ca.key"; }
  std::string server() const { return dir + "/server"; }
  std::string holdfastd_toml() const { return dir + "/server/holdfastd.toml"; }
  std::string policy() const { return dir + "/server/policy.env"; }
  std::string ca_cert() const { return dir + "/server/tls/ca.crt"; }
  std::string server_cert() const { return dir + "/server/tls/server.crt"; }
  std::string server_key() const { return dir + "/server/tls/server.key"; }
};

}  // namespace holdfast::sdk
