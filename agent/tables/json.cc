#include "agent/tables/json.h"

#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

void SkipBlanks(std::string_view& rest) {
  const std::size_t from = rest.find_first_not_of(" \t\r\n");
  rest.remove_prefix(from == std::string_view::npos ? rest.size() : from);
}

bool Take(std::string_view& rest, char c) {
  SkipBlanks(rest);
  if (rest.empty() || rest.front() != c) return false;
  rest.remove_prefix(1);
  return true;
}

// Bytes of the string at the front, with its quotes; 0 when it does not end.
std::size_t StringBytes(std::string_view text) {
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      return i + 1;
    }
  }
  return 0;
}

// Bytes of the value at the front; 0 when it does not end. Brackets are counted, not matched by kind: what
// is wrong inside is found by whoever looks there.
std::size_t ValueBytes(std::string_view text) {
  if (text.starts_with('"')) return StringBytes(text);
  if (!text.starts_with('{') && !text.starts_with('[')) {
    const std::size_t end = text.find_first_of(",]} \t\r\n");
    return end == std::string_view::npos ? text.size() : end;
  }
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      const std::size_t size = StringBytes(text.substr(i));
      if (size == 0) return 0;
      i += size - 1;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxJsonDepth) return 0;
    } else if ((c == '}' || c == ']') && --depth == 0) {
      return i + 1;
    }
  }
  return 0;
}

bool TakeValue(std::string_view& rest, std::string_view& value) {
  SkipBlanks(rest);
  const std::size_t size = ValueBytes(rest);
  if (size == 0) return false;
  value = rest.substr(0, size);
  rest.remove_prefix(size);
  return true;
}

void AppendUtf8(std::string& out, std::uint32_t code) {
  if (code < 0x80) {
    out.push_back(static_cast<char>(code));
    return;
  }
  const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  constexpr unsigned kLead[] = {0, 0xc0, 0xe0, 0xf0};
  out.push_back(static_cast<char>(kLead[more] | code >> (6 * more)));
  for (int i = more - 1; i >= 0; --i) {
    out.push_back(static_cast<char>(0x80 | (code >> (6 * i) & 0x3f)));
  }
}

// \uXXXX, and the second half of a pair; `text` begins behind the 'u'.
std::uint32_t TakeCode(std::string_view& text) {
  constexpr std::uint32_t kReplacement = 0xfffd;
  const auto first = text.size() < 4 ? std::nullopt : ParseUint(text.substr(0, 4), 16);
  if (!first) return kReplacement;
  text.remove_prefix(4);
  const auto code = static_cast<std::uint32_t>(*first);
  if (code < 0xd800 || code > 0xdfff) return code;
  if (code > 0xdbff || text.size() < 6 || text[0] != '\\' || text[1] != 'u') return kReplacement;
  const auto second = ParseUint(text.substr(2, 4), 16);
  if (!second || *second < 0xdc00 || *second > 0xdfff) return kReplacement;
  text.remove_prefix(6);
  return 0x10000 + ((code - 0xd800) << 10) + (static_cast<std::uint32_t>(*second) - 0xdc00);
}

}  // namespace

bool NextJsonMember(std::string_view& rest, std::string_view& key, std::string_view& value) {
  if (!Take(rest, '{') && !Take(rest, ',')) return false;
  SkipBlanks(rest);
  if (!rest.starts_with('"') || !TakeValue(rest, key)) return false;
  key = key.substr(1, key.size() - 2);
  return Take(rest, ':') && TakeValue(rest, value);
}

bool NextJsonElement(std::string_view& rest, std::string_view& value) {
  if (!Take(rest, '[') && !Take(rest, ',')) return false;
  SkipBlanks(rest);
  return !rest.starts_with(']') && TakeValue(rest, value);
}

std::string_view JsonMember(std::string_view object, std::string_view key) {
  std::string_view name;
  std::string_view value;
  SkipBlanks(object);
  if (!object.starts_with('{')) return {};
  while (NextJsonMember(object, name, value)) {
    if (name == key) return value;
  }
  return {};
}

std::string TextOfJson(std::string_view value) {
  if (value == "null") return {};
  if (!value.starts_with('"') || value.size() < 2) return std::string(value);
  std::string_view rest = value.substr(1, value.size() - 2);
  std::string text;
  while (!rest.empty()) {
    const char c = rest.front();
    rest.remove_prefix(1);
    if (c != '\\' || rest.empty()) {
      text.push_back(c);
      continue;
    }
    const char escaped = rest.front();
    rest.remove_prefix(1);
    switch (escaped) {
      case 'b': text.push_back('\b'); break;
      case 'f': text.push_back('\f'); break;
      case 'n': text.push_back('\n'); break;
      case 'r': text.push_back('\r'); break;
      case 't': text.push_back('\t'); break;
      case 'u': AppendUtf8(text, TakeCode(rest)); break;
      default: text.push_back(escaped);
    }
  }
  return text;
}

bool JsonIsTrue(std::string_view value) { return value == "true"; }

}  // namespace holdfast::agent
