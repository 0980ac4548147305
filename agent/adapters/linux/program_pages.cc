#include "agent/adapters/linux/program_pages.h"

#include <cstddef>
#include <cstdint>

#include <elf.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

namespace holdfast::agent {

void LetGoOfProgramPages() {
  const auto let_go = [](dl_phdr_info* info, std::size_t /*size*/, void* /*data*/) {
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    for (std::size_t i = 0; i < info->dlpi_phnum; ++i) {
      const auto& segment = info->dlpi_phdr[i];
      // What may be written holds relocations and data of ours: it would be lost.
      if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
      const std::uintptr_t begin = (info->dlpi_addr + segment.p_vaddr) & ~(page - 1);
      const std::uintptr_t end =
          (info->dlpi_addr + segment.p_vaddr + segment.p_memsz + page - 1) & ~(page - 1);
      ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
    }
    return 1;  // the program itself comes first; of the tests' shared libraries nothing
  };
  ::dl_iterate_phdr(let_go, nullptr);
}

}  // namespace holdfast::agent
