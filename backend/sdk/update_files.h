// Update files: the keys that say which programs exist, and what they have said.
//
//   FILE, FILE.pub                 an update key and its public half, on the release engineer's machine
//   D/update/root.env              signed holdfast.updateroot.v1: which update keys this fleet takes
//   RELEASE/release.env            signed holdfast.release.v1
//   RELEASE/holdfast-agent-ARCH    the programs that it names
//
// No server needs any of them: root and release travel inside the command, the programs as its content.
//
// Threading: pure functions of the file system.
// Errors:    kInvalid: an option. kDenied, kExpired: signatures do not suffice, or it is over. kCorrupt: a program is not the one
//            that was signed. The message names the file.
// Design:    docs/decisions/0115-self-update.md
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/sdk/fleet.h"
#include "common/sign/chain.h"
#include "common/sign/crypto.h"
#include "common/sign/update.h"

namespace holdfast::sdk {

inline constexpr std::string_view kUpdateRole = "update";
inline constexpr Duration kUpdateRootLife = std::chrono::hours(24 * 365);
inline constexpr Duration kReleaseLife = std::chrono::hours(24 * 90);

using SigningKeys = std::vector<std::unique_ptr<sign::SigningKey>>;

// Makes FILE and FILE.pub. kExists: one of them is there.
Status MakeUpdateKey(const sign::Crypto& crypto, const std::string& path);
Result<PublicKey> ReadPublicKey(const std::string& path);
// As many as there are names, each a key of `role`.
Result<SigningKeys> LoadKeys(const sign::Crypto& crypto, const std::vector<std::string>& paths,
                             std::string_view role);

struct UpdateRootOptions {
  std::vector<std::string> public_keys;  // files
  int threshold = 1;
  std::vector<std::string> sign_with;  // root keys' files; empty: those in D/offline
  Duration life = kUpdateRootLife;
};
struct MadeUpdateRoot {
  ::holdfast::command::v1::UpdateRoot root;
  int signatures = 0;
  std::string path;
};
// Writes D/update/root.env, one version above what is there.
Result<MadeUpdateRoot> MakeUpdateRoot(const sign::Crypto& crypto, const Fleet& fleet,
                                      const UpdateRootOptions& options, WallTime now);

struct ReleaseOptions {
  std::string dir;
  std::string version;
  std::string floor;
  std::vector<std::pair<std::string, std::string>> programs;  // architecture, file
  std::vector<std::string> sign_with;                         // update keys' files
  Duration life = kReleaseLife;
};
// Copies the programs into the directory and signs what they are.
Result<::holdfast::command::v1::Release> MakeRelease(const sign::Crypto& crypto,
                                                     const ReleaseOptions& options, WallTime now);

// One more signature, by the holder of another key: the file is an update root or a release. How many it has now.
Result<int> AddSignatureTo(const sign::Crypto& crypto, const std::string& path,
                           const std::string& key_file);

struct LoadedRelease {
  std::string root_envelope;
  std::string envelope;
  ::holdfast::command::v1::UpdateRoot root;
  ::holdfast::command::v1::Release release;
  std::string dir;

  std::string ProgramPath(const std::string& arch) const { return dir + "/holdfast-agent-" + arch; }
};
// Checked as an endpoint will check it, and the programs against what was signed.
Result<LoadedRelease> LoadRelease(const sign::Crypto& crypto, const Fleet& fleet,
                                  const sign::TrustedPolicy& trust, const std::string& dir,
                                  WallTime now);

}  // namespace holdfast::sdk
