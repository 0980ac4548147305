// UpdatePapers: update roots and releases of a TestFleet, each good until a test changes something.
//
// Ownership: borrows the Crypto and the fleet.
// Threading: thread-compatible.
#pragma once

#include <string>
#include <vector>

#include "common/sign/envelope.h"
#include "holdfast/command/v1/update.pb.h"
#include "tests/support/test_fleet.h"

namespace holdfast::testing {

class UpdatePapers {
 public:
  UpdatePapers(const sign::Crypto& crypto, const TestFleet& test_fleet)
      : crypto_(crypto), fleet_(test_fleet) {
    for (auto& key : keys) key = fleet_.NewKey();
  }

  pb::UpdateRoot GoodRoot() const {
    pb::UpdateRoot root;
    root.set_fleet_id(fleet_.fleet_id.str());
    root.set_version(1);
    for (const auto& key : keys) root.add_keys(key->public_key().str());
    root.set_threshold(2);
    root.set_expires_ms(kNowMs + 100 * kHourMs);
    return root;
  }
  pb::Release GoodRelease() const {
    pb::Release release;
    release.set_version("0.2.0");
    release.set_expires_ms(kNowMs + 50 * kHourMs);
    auto* file = release.add_files();
    file->set_arch("amd64");
    file->set_sha256(crypto_.Sha256(program).str());
    file->set_size(program.size());
    return release;
  }
  using Keys = std::vector<const TestFleet::Key*>;
  std::string Sign(const pb::UpdateRoot& root) const {
    return SignBy({&fleet_.roots[0], &fleet_.roots[2]}, sign::kUpdateRootType,
                  root.SerializeAsString());
  }
  std::string Sign(const pb::Release& release) const {
    return SignBy({&keys[0], &keys[1]}, sign::kReleaseType, release.SerializeAsString());
  }
  std::string SignBy(const Keys& by, std::string_view type, const std::string& payload) const {
    std::string bytes = sign::SignEnvelope(crypto_, **by.at(0), type, payload).value();
    for (std::size_t i = 1; i < by.size(); ++i) {
      bytes = sign::AddSignature(crypto_, **by[i], bytes).value();
    }
    return bytes;
  }
  // An update of `base` (who, whom, when) with these papers.
  pb::Command Command(pb::Command base, const std::string& root, const std::string& release) const {
    base.set_idempotent(true);
    base.mutable_update()->set_root(root);
    base.mutable_update()->set_release(release);
    auto* blob = base.add_blobs();
    blob->set_sha256(crypto_.Sha256(program).str());
    blob->set_size(program.size());
    return base;
  }
  pb::Command GoodCommand(const pb::Command& base) const {
    return Command(base, Sign(GoodRoot()), Sign(GoodRelease()));
  }

  TestFleet::Key keys[3];
  std::string program = "the new program";

 private:
  const sign::Crypto& crypto_;
  const TestFleet& fleet_;
};

}  // namespace holdfast::testing
