#include "backend/sdk/update_files.h"

#include <algorithm>
#include <filesystem>

#include "backend/sdk/files.h"
#include "backend/sdk/key_file.h"
#include "common/base/bytes.h"
#include "common/sign/envelope.h"
#include "common/sign/strict.h"
#include "common/sign/version.h"

namespace holdfast::sdk {
namespace {

namespace pb = ::holdfast::command::v1;

constexpr std::string_view kPublicMagic = "HOLDFAST-PUB-v1 update ";
constexpr std::size_t kMaxPublicBytes = 256;
constexpr std::size_t kMaxProgramFile = std::size_t{64} << 20;  // update.proto
constexpr int kMaxUpdateKeys = 8;

std::uint64_t EndOf(WallTime now, Duration life) {
  return now.get() + static_cast<std::uint64_t>(life.count());
}

Result<std::string> SignByAll(const sign::Crypto& crypto, const SigningKeys& keys,
                              std::string_view type, const std::string& payload) {
  if (keys.empty()) return Error{Code::kInvalid, "no key to sign with (--sign-with)"};
  auto envelope = sign::SignEnvelope(crypto, *keys[0], type, payload);
  for (std::size_t i = 1; i < keys.size() && envelope.ok(); ++i) {
    envelope = sign::AddSignature(crypto, *keys[i], envelope.value());
  }
  return envelope;
}

// Of the root that is there: its version, or 0.
std::uint64_t VersionThere(const std::string& path) {
  const auto bytes = ReadFile(path, sign::kMaxEnvelopeBytes);
  if (!bytes.ok()) return 0;
  const auto envelope = sign::ParseEnvelope(bytes.value(), sign::kUpdateRootType);
  if (!envelope.ok()) return 0;
  const auto root = sign::ParseUpdateRoot(envelope.value().payload());
  return root.ok() ? root.value().version() : 0;
}

Result<std::vector<std::string>> RootsHere(const Fleet& fleet) {
  HF_ASSIGN_OR_RETURN(const auto names, ListFiles(fleet.paths.dir + "/offline", 64));
  std::vector<std::string> paths;
  for (const auto& name : names) {
    if (name.ends_with(".key")) paths.push_back(fleet.paths.dir + "/offline/" + name);
  }
  return paths;
}

}  // namespace

Status MakeUpdateKey(const sign::Crypto& crypto, const std::string& path) {
  for (const std::string& file : {path, path + ".pub"}) {
    if (Exists(file)) return Error{Code::kExists, file + " is there already; it is left as it is"};
  }
  HF_ASSIGN_OR_RETURN(const auto key, crypto.GenerateKey());
  HF_TRY(WriteKeyFile(path, kUpdateRole, *key));
  return WriteFile(path + ".pub",
                   std::string(kPublicMagic) + ToBase64Url(key->public_key().view()) + "\n",
                   kPlainMode);
}

Result<PublicKey> ReadPublicKey(const std::string& path) {
  HF_ASSIGN_OR_RETURN(std::string text, ReadFile(path, kMaxPublicBytes));
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  const Error wrong{Code::kInvalid, path + ": not the public half of an update key"};
  if (!text.starts_with(kPublicMagic)) return wrong;
  const auto bytes = FromBase64Url(std::string_view(text).substr(kPublicMagic.size()));
  const auto key = bytes.ok() ? PublicKey::From(bytes.value()) : std::nullopt;
  return key ? Result<PublicKey>(*key) : Result<PublicKey>(wrong);
}

Result<SigningKeys> LoadKeys(const sign::Crypto& crypto, const std::vector<std::string>& paths,
                             std::string_view role) {
  SigningKeys keys;
  for (const std::string& path : paths) {
    HF_ASSIGN_OR_RETURN(auto key, LoadKeyFile(crypto, path, role));
    keys.push_back(std::move(key));
  }
  return keys;
}

Result<MadeUpdateRoot> MakeUpdateRoot(const sign::Crypto& crypto, const Fleet& fleet,
                                      const UpdateRootOptions& options, WallTime now) {
  const auto count = static_cast<int>(options.public_keys.size());
  if (count < 1 || count > kMaxUpdateKeys) {
    return Error{Code::kInvalid, "an update root names 1 to 8 update keys (--update-key)"};
  }
  if (options.threshold < 1 || options.threshold > count) {
    return Error{Code::kInvalid, "the threshold lies between 1 and the number of update keys"};
  }
  MadeUpdateRoot made;
  made.path = fleet.paths.update_root();
  made.root.set_fleet_id(fleet.toml.id.str());
  made.root.set_version(VersionThere(made.path) + 1);
  made.root.set_threshold(static_cast<std::uint32_t>(options.threshold));
  made.root.set_expires_ms(EndOf(now, options.life));
  for (const std::string& path : options.public_keys) {
    HF_ASSIGN_OR_RETURN(const PublicKey key, ReadPublicKey(path));
    made.root.add_keys(key.str());
  }
  const std::string payload = made.root.SerializeAsString();
  HF_TRY(sign::ParseUpdateRoot(payload));  // a key twice
  std::vector<std::string> roots = options.sign_with;
  if (roots.empty()) {
    HF_ASSIGN_OR_RETURN(roots, RootsHere(fleet));
  }
  HF_ASSIGN_OR_RETURN(const SigningKeys keys, LoadKeys(crypto, roots, kRootRole));
  HF_ASSIGN_OR_RETURN(const std::string envelope,
                      SignByAll(crypto, keys, sign::kUpdateRootType, payload));
  made.signatures = static_cast<int>(keys.size());
  HF_TRY(MakeDirs(fleet.paths.dir + "/update", kDirMode));
  HF_TRY(WriteFile(made.path, envelope, kPlainMode));
  return made;
}

Result<pb::Release> MakeRelease(const sign::Crypto& crypto, const ReleaseOptions& options,
                                WallTime now) {
  if (!sign::IsVersion(options.version)) {
    return Error{Code::kInvalid, "'" + options.version + "' is no version, such as 0.2.0"};
  }
  pb::Release release;
  release.set_version(options.version);
  release.set_floor(options.floor);
  release.set_expires_ms(EndOf(now, options.life));
  HF_ASSIGN_OR_RETURN(const SigningKeys keys, LoadKeys(crypto, options.sign_with, kUpdateRole));
  HF_TRY(MakeDirs(options.dir, kDirMode));
  for (const auto& [arch, path] : options.programs) {
    HF_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kMaxProgramFile));
    auto* file = release.add_files();
    file->set_arch(arch);
    file->set_sha256(crypto.Sha256(bytes).str());
    file->set_size(bytes.size());
    HF_TRY(WriteFile(options.dir + "/holdfast-agent-" + arch, bytes, 0755));
  }
  const std::string payload = release.SerializeAsString();
  HF_TRY(sign::ParseRelease(payload));
  HF_ASSIGN_OR_RETURN(const std::string envelope,
                      SignByAll(crypto, keys, sign::kReleaseType, payload));
  HF_TRY(WriteFile(options.dir + "/release.env", envelope, kPlainMode));
  return release;
}

Result<int> AddSignatureTo(const sign::Crypto& crypto, const std::string& path,
                           const std::string& key_file) {
  HF_ASSIGN_OR_RETURN(const std::string before, ReadFile(path, sign::kMaxEnvelopeBytes));
  const bool is_release = sign::ParseEnvelope(before, sign::kReleaseType).ok();
  const std::string_view type = is_release ? sign::kReleaseType : sign::kUpdateRootType;
  auto envelope = sign::ParseEnvelope(before, type);
  if (!envelope.ok()) {
    return Error{Code::kInvalid, path + ": neither an update root nor a release"};
  }
  HF_ASSIGN_OR_RETURN(const auto key,
                      LoadKeyFile(crypto, key_file, is_release ? kUpdateRole : kRootRole));
  HF_ASSIGN_OR_RETURN(const std::string after, sign::AddSignature(crypto, *key, before));
  HF_TRY(WriteFile(path, after, kPlainMode));
  return envelope.value().sigs_size() + 1;
}

Result<LoadedRelease> LoadRelease(const sign::Crypto& crypto, const Fleet& fleet,
                                  const sign::TrustedPolicy& trust, const std::string& dir,
                                  WallTime now) {
  LoadedRelease loaded;
  loaded.dir = dir;
  auto root_bytes = ReadFile(fleet.paths.update_root(), sign::kMaxEnvelopeBytes);
  if (!root_bytes.ok() && root_bytes.error().code == Code::kNotFound) {
    return Error{Code::kNotFound, fleet.paths.update_root() +
                                      " is not there: this fleet takes no update keys yet; make it "
                                      "where the root keys are: holdfast update root"};
  }
  if (!root_bytes.ok()) return std::move(root_bytes).error();
  loaded.root_envelope = std::move(root_bytes).value();
  auto root = sign::VerifyUpdateRoot(crypto, trust, loaded.root_envelope, now);
  if (!root.ok()) return std::move(root).error().In(fleet.paths.update_root());
  loaded.root = std::move(root).value();
  const std::string path = dir + "/release.env";
  HF_ASSIGN_OR_RETURN(loaded.envelope, ReadFile(path, sign::kMaxEnvelopeBytes));
  auto release = sign::VerifyRelease(crypto, loaded.root, loaded.envelope, now);
  if (!release.ok()) return std::move(release).error().In(path);
  loaded.release = std::move(release).value();
  for (const auto& file : loaded.release.files()) {
    const std::string program = loaded.ProgramPath(file.arch());
    HF_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(program, kMaxProgramFile));
    if (bytes.size() != file.size() || crypto.Sha256(bytes).view() != file.sha256()) {
      return Error{Code::kCorrupt, program + " is not the program that was signed"};
    }
  }
  return loaded;
}

}  // namespace holdfast::sdk
