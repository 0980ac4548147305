// magic: what kinds of files there are, in libmagic's words.
#include <utility>

#include "agent/tables/path_walk.h"
#include "agent/tables/registry.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;

constexpr Column kColumns[] = {
    {"path", kT, "The file", kRequired | kIndex},
    {"magic_db_files", kT, "Refused: the module has a database of its own", kAdditional},
    {"data", kT, "What it is, in words"},
    {"mime_type", kT, "MIME type"},
    {"mime_encoding", kT, "Character set, or binary"},
};
enum MagicAt : std::size_t { kPath, kDatabase, kData, kMimeType, kMimeEncoding };

struct SpecialKind {
  std::uint32_t type;
  std::string_view words;
  std::string_view mime_type;
};
// libmagic's words for what has no content of its own.
constexpr SpecialKind kSpecialKinds[] = {
    {kTypeDirectory, "directory", "inode/directory"},
    {kTypeSymlink, "symbolic link", "inode/symlink"},
    {0010000, "fifo (named pipe)", "inode/fifo"},
    {0140000, "socket", "inode/socket"},
    {0020000, "character special", "inode/chardevice"},
    {0060000, "block special", "inode/blockdevice"},
};

class MagicRows : public RowSource {
 public:
  MagicRows(PathWalk walk, Machine& machine) : walk_(std::move(walk)), machine_(machine) {}

  bool Next(Row& row) override {
    FoundPath found;
    while (walk_.Next(found)) {
      const auto stat = machine_.Stat(found.path, Links::kKeep);
      if (!stat.ok() || !Fill(found.path, stat.value(), row)) continue;
      row[kPath] = std::move(found.path);
      return true;
    }
    return false;
  }

 private:
  bool Fill(const std::string& path, const FileStat& stat, Row& row) {
    row[kDatabase] = Text("");
    row[kMimeEncoding] = Text("binary");
    for (const SpecialKind& kind : kSpecialKinds) {
      if ((stat.mode & kTypeMask) != kind.type) continue;
      std::string words(kind.words);
      if (kind.type == kTypeSymlink) {
        const auto target = machine_.ReadLink(path);
        if (target.ok()) words += " to " + target.value();
      }
      row[kData] = std::move(words);
      row[kMimeType] = Text(kind.mime_type);
      return true;
    }
    auto kind = machine_.Describe(path, kMaxDescribeTime);
    if (!kind.ok()) return false;  // it is counted, and the first one named
    row[kData] = std::move(kind.value().description);
    row[kMimeType] = std::move(kind.value().mime_type);
    row[kMimeEncoding] = std::move(kind.value().mime_encoding);
    return true;
  }

  PathWalk walk_;
  Machine& machine_;
};

Result<std::unique_ptr<RowSource>> OpenMagic(const Request& request, Machine& machine) {
  if (request.Equal(kDatabase) != nullptr)
    return Error{Code::kInvalid,
                 "magic_db_files: the module has a database of its own, and takes no other"};
  HF_ASSIGN_OR_RETURN(PathWalk walk, PathWalk::Open(request, "magic", machine));
  HF_TRY(machine.CheckScanner(""));
  return std::unique_ptr<RowSource>(std::make_unique<MagicRows>(std::move(walk), machine));
}

}  // namespace

const Table kMagicTable = {
    .name = "magic",
    .description =
        "Kinds of files in libmagic's words, by the module holdfast-agent-yara. Links are not "
        "followed.",
    .example = "SELECT path, data, mime_type FROM magic WHERE path LIKE '/etc/%';",
    .cost = Cost::kFileBytes,
    .columns = kColumns,
    .open = OpenMagic,
};

}  // namespace holdfast::agent
