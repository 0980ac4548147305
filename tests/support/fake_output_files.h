// FakeOutputFiles: the port OutputFiles in memory. Jobs run when the test says so; Crash() forgets
// what no finished job synced, and leaves rubbish behind the synced end of some files.
//
// Threading: thread-compatible.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <utility>

#include "backend/core/output_files.h"
#include "common/base/check.h"
#include "common/sign/crypto.h"

namespace holdfast::testing {

class FakeOutputFiles final : public backend::OutputFiles {
 public:
  using FileArea = backend::FileArea;
  using FileName = backend::FileName;
  using FileJob = backend::FileJob;
  using FileDone = backend::FileDone;

  explicit FakeOutputFiles(const sign::Crypto& crypto) : crypto_(crypto) {}

  void FailNextJobs(int count) { failing_ = count; }
  bool has_jobs() const { return !jobs_.empty(); }
  std::size_t sealed() const { return sealed_.size(); }
  std::size_t growing() const { return growing_.size(); }

  FileDone RunOne() {
    FileJob job = std::move(jobs_.front());
    jobs_.pop_front();
    FileDone done{job.file, Ok(), 0, std::nullopt};
    std::string& content = growing_[job.file];
    if (content.size() < job.offset) {
      done.status = Error{Code::kCorrupt, "bytes that were stored are missing"};
      return done;
    }
    content.resize(static_cast<std::size_t>(job.offset));
    for (const std::string& piece : job.pieces) content += piece;
    if (failing_ > 0) {
      --failing_;
      const std::size_t before = static_cast<std::size_t>(job.offset);
      content.resize(before + (content.size() - before) / 2);  // a part got there
      done.status = Error{Code::kUnavailable, "no space"};
      return done;
    }
    if (job.sync || job.seal) synced_[job.file] = content;
    done.length = content.size();
    if (job.want_sha256 || job.seal) done.sha256 = crypto_.Sha256(content);
    if (job.seal && *done.sha256 != *job.seal) {
      done.status = Error{Code::kCorrupt, "another SHA-256"};
    } else if (job.seal) {
      sealed_[{job.file.area, *job.seal}] = content;
    }
    return done;
  }
  void Crash() {
    jobs_.clear();
    growing_ = synced_;
    for (auto& [name, content] : growing_) content += "rubbish that no job owned up to";
  }

  void Start(FileJob job) override {
    for (const FileJob& other : jobs_) HF_CHECK(other.file != job.file);  // one at a time
    jobs_.push_back(std::move(job));
  }
  Result<std::string> Read(const FileName& file, std::uint64_t offset,
                           std::size_t max_bytes) override {
    const auto found = growing_.find(file);
    if (found == growing_.end()) return Error{Code::kNotFound, "no such file"};
    return Part(found->second, offset, max_bytes);
  }
  Result<std::string> ReadSealed(FileArea area, const Digest& sha256, std::uint64_t offset,
                                 std::size_t max_bytes) override {
    const auto found = sealed_.find({area, sha256});
    if (found == sealed_.end()) return Error{Code::kNotFound, "no such file"};
    return Part(found->second, offset, max_bytes);
  }
  std::optional<std::uint64_t> LengthOf(const FileName& file) override {
    const auto found = growing_.find(file);
    if (found == growing_.end()) return std::nullopt;
    return found->second.size();
  }
  std::optional<std::uint64_t> LengthOfSealed(FileArea area, const Digest& sha256) override {
    const auto found = sealed_.find({area, sha256});
    if (found == sealed_.end()) return std::nullopt;
    return found->second.size();
  }
  void Forget(const FileName& file) override {
    growing_.erase(file);
    synced_.erase(file);
  }

 private:
  static std::string Part(const std::string& bytes, std::uint64_t offset, std::size_t max_bytes) {
    if (offset >= bytes.size()) return {};
    return bytes.substr(static_cast<std::size_t>(offset), max_bytes);
  }

  const sign::Crypto& crypto_;
  std::deque<FileJob> jobs_;
  std::map<FileName, std::string> growing_;
  std::map<FileName, std::string> synced_;
  std::map<std::pair<FileArea, Digest>, std::string> sealed_;
  int failing_ = 0;
};

}  // namespace holdfast::testing
