#include "backend/adapters/linux/counters_page.h"

#include <cerrno>
#include <string>
#include <system_error>

#include <sys/mman.h>
#include <unistd.h>

namespace holdfast::backend {
namespace {
Error Failed(const char* what) {
  return Error{Code::kInternal, std::string("counters page: ") + what + ": " +
                                    std::generic_category().message(errno)};
}
}  // namespace

Result<CountersPage> CountersPage::Make() {
  UniqueFd fd(::memfd_create("holdfast-counters", MFD_CLOEXEC));
  if (!fd.valid()) return Failed("memfd_create");
  if (::ftruncate(fd.get(), sizeof(CounterBlock)) != 0) return Failed("ftruncate");
  return Map(std::move(fd));
}

Result<CountersPage> CountersPage::Map(UniqueFd fd) {
  void* const memory =
      ::mmap(nullptr, sizeof(CounterBlock), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (memory == MAP_FAILED) return Failed("mmap");
  // All zero bytes are a block of zero counters; lock-free atomics have no other state.
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
  return CountersPage(std::move(fd), static_cast<CounterBlock*>(memory));
}

CountersPage::CountersPage(CountersPage&& other) noexcept
    : fd_(std::move(other.fd_)), block_(std::exchange(other.block_, nullptr)) {}

CountersPage& CountersPage::operator=(CountersPage&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(block_, other.block_);
  return *this;
}

CountersPage::~CountersPage() {
  if (block_ != nullptr) ::munmap(block_, sizeof(CounterBlock));
}

}  // namespace holdfast::backend
