#include "agent/tables/path_walk.h"

#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr std::size_t kPath = 0;  // of both tables that walk
constexpr std::size_t kDirectory = 1;

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool IsWild(std::string_view segment) {
  return segment.find_first_of("%_") != std::string_view::npos;
}

// Bytes of the UTF-8 character at the front; 1 for what is none.
std::size_t CharacterBytes(std::string_view text) {
  std::size_t bytes = 1;
  while (bytes < text.size() && (static_cast<unsigned char>(text[bytes]) & 0xc0) == 0x80) ++bytes;
  return bytes;
}

std::string Join(std::string_view directory, std::string_view name) {
  std::string path(directory);
  if (path.empty() || path.back() != '/') path.push_back('/');
  path.append(name);
  return path;
}

FoundPath Split(std::string path) {
  FoundPath found;
  std::string_view whole = path;
  while (whole.size() > 1 && whole.back() == '/') whole.remove_suffix(1);
  const std::size_t slash = whole.rfind('/');
  found.filename = whole.substr(slash + 1);
  found.directory = slash == 0 ? "/" : whole.substr(0, slash);
  found.path = std::move(path);
  return found;
}

bool IsAbsolute(const Constraint& constraint) {
  const auto* text = std::get_if<std::string>(&constraint.value);
  return text != nullptr && text->starts_with('/');
}

// The constraint that narrows most: an equality before a pattern, a path before a directory. A pattern
// that does not say where to begin helps only to filter.
const Constraint* Narrowest(const Request& request) {
  for (const Op op : {Op::kEqual, Op::kLike}) {
    for (const std::size_t column : {kPath, kDirectory}) {
      for (const Constraint& constraint : request.constraints) {
        if (constraint.column != column || constraint.op != op) continue;
        if (op == Op::kEqual || IsAbsolute(constraint)) return &constraint;
      }
    }
  }
  return nullptr;
}

}  // namespace

// Greedy with one point to go back to: linear in name times pattern, never exponential.
bool LikeMatches(std::string_view pattern, std::string_view name) {
  std::size_t p = 0;
  std::size_t n = 0;
  std::size_t back_p = std::string_view::npos;
  std::size_t back_n = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '%') {
      back_p = ++p;
      back_n = n;
    } else if (p < pattern.size() && pattern[p] == '_') {
      ++p;
      n += CharacterBytes(name.substr(n));
    } else if (p < pattern.size() && Lower(pattern[p]) == Lower(name[n])) {
      ++p;
      ++n;
    } else if (back_p != std::string_view::npos) {
      p = back_p;
      n = ++back_n;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '%') ++p;
  return p == pattern.size();
}

Result<PathWalk> PathWalk::Open(const Request& request, std::string_view table, Machine& machine) {
  PathWalk walk(machine);
  const Constraint* wanted = Narrowest(request);
  if (wanted == nullptr) {
    return Error{Code::kInvalid, "table " + std::string(table) +
                                     " needs a path or a directory, for example WHERE path = "
                                     "'/etc/passwd', directory = '/etc' or path LIKE '/etc/%'"};
  }
  walk.list_matches_ = wanted->column == kDirectory;
  const auto* text = std::get_if<std::string>(&wanted->value);
  if (!IsAbsolute(*wanted) || text->find('\0') != std::string::npos)
    return walk;  // matches nothing
  if (wanted->op == Op::kLike && IsWild(*text)) {
    walk.StartPattern(*text);
  } else {
    walk.single_ = *text;
    walk.has_single_ = true;
  }
  return walk;
}

void PathWalk::StartPattern(std::string_view pattern) {
  pattern.remove_prefix(1);
  while (!pattern.empty()) {
    const std::string_view segment = NextField(pattern, '/');
    if (!segment.empty()) segments_.emplace_back(segment);
  }
  Descend("", 0);
}

// Takes plain segments as they are and lists the directory of the next wild one.
void PathWalk::Descend(std::string prefix, std::size_t segment) {
  while (segment < segments_.size() && !IsWild(segments_[segment])) {
    prefix = Join(prefix, segments_[segment++]);
  }
  if (segment == segments_.size()) {
    single_ = std::move(prefix);
    has_single_ = true;
    return;
  }
  if (levels_.size() >= kMaxDepth) return;
  auto names = machine_->List(prefix.empty() ? "/" : prefix);
  if (!names.ok()) return;
  levels_.push_back({.directory = std::move(prefix),
                     .names = std::move(names).value(),
                     .next = 0,
                     .segment = segment});
}

// A name matched `segment`: true when the path is a result, else what lies below is visited.
bool PathWalk::Visit(std::string path, std::size_t segment) {
  const bool last = segment + 1 == segments_.size();
  const bool left_out = leave_out_kernel_ && (path == "/proc" || path == "/sys");
  if (last && segments_[segment] == "%%" && !left_out) {
    const auto stat = machine_->Stat(path, Links::kKeep);
    if (stat.ok() && (stat.value().mode & kTypeMask) == kTypeDirectory) Descend(path, segment);
  }
  if (last) return true;
  Descend(std::move(path), segment + 1);
  return false;
}

bool PathWalk::NextMatch(std::string& path) {
  while (true) {
    if (has_single_) {
      has_single_ = false;
      path = std::move(single_);
      return true;
    }
    if (levels_.empty()) return false;
    Level& level = levels_.back();
    if (level.next == level.names.size()) {
      levels_.pop_back();
      continue;
    }
    const std::string& name = level.names[level.next++];
    if (!LikeMatches(segments_[level.segment], name)) continue;
    std::string found = Join(level.directory, name);
    if (Visit(found, level.segment)) {
      path = std::move(found);
      return true;
    }
  }
}

bool PathWalk::Next(FoundPath& found) {
  std::string path;
  while (list_matches_ && next_listed_ == listed_.size()) {
    if (!NextMatch(path)) return false;
    auto names = machine_->List(path);
    listed_directory_ = std::move(path);
    listed_ = names.ok() ? std::move(names).value() : std::vector<std::string>();
    next_listed_ = 0;
  }
  if (list_matches_) {
    const std::string& name = listed_[next_listed_++];
    found = {
        .path = Join(listed_directory_, name), .directory = listed_directory_, .filename = name};
    return true;
  }
  if (!NextMatch(path)) return false;
  found = Split(std::move(path));
  return true;
}

}  // namespace holdfast::agent
