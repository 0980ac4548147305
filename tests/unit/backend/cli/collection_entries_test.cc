#include "backend/cli/collection_entries.h"

#include <set>

#include <gtest/gtest.h>

#include "common/adapters/openssl/openssl_crypto.h"

namespace holdfast::cli {
namespace {

class CollectionEntriesTest : public ::testing::Test {
 protected:
  std::string Path(std::string_view path) const { return EntryPath(*crypto_, path); }
  std::unique_ptr<sign::Crypto> crypto_ = NewOpensslCrypto();
};

TEST_F(CollectionEntriesTest, UsualNamesStayAndAllElseIsSpelledOut) {
  EXPECT_EQ(Path("/etc/passwd"), "etc/passwd");
  EXPECT_EQ(Path("/home/ada/.bash_history"), "home/ada/.bash_history");
  EXPECT_EQ(Path("/a b/100%"), "a%20b/100%25");
  EXPECT_EQ(Path("/a\nb\x1b[2J\xff"), "a%0Ab%1B%5B2J%FF");
  EXPECT_EQ(Path("/gr\xc3\xbc\xc3\x9f"), "gr%C3%BC%C3%9F");
  EXPECT_EQ(Path("/c:\\x"), "c%3A%5Cx");
  EXPECT_EQ(Path("/"), "%~root");
}

TEST_F(CollectionEntriesTest, NothingLeadsOutOfTheDirectoryItIsUnpackedIn) {
  EXPECT_EQ(Path("/../../etc/passwd"), "%2E%2E/%2E%2E/etc/passwd");
  EXPECT_EQ(Path("/./a/.."), "%2E/a/%2E%2E");
  EXPECT_EQ(Path("relative/.."), "relative/%2E%2E");
  EXPECT_EQ(Path("/a."), "a%2E") << "Windows drops it";
  EXPECT_EQ(Path("/nul"), "%6Eul");
  EXPECT_EQ(Path("/COM1.txt"), "%43OM1.txt");
  EXPECT_EQ(Path("/null"), "null");
}

TEST_F(CollectionEntriesTest, LongNamesEndInTheirHash) {
  const std::string name = EntryComponent(*crypto_, std::string(255, '\xff'));
  EXPECT_LE(name.size(), 200U);
  EXPECT_NE(name, EntryComponent(*crypto_, std::string(254, '\xff') + "\xfe"));
  EXPECT_EQ(EntryComponent(*crypto_, std::string(200, 'a')), std::string(200, 'a'));
  std::string path;
  for (int i = 0; i < 40; ++i) path += "/" + std::string(100, 'd');
  EXPECT_EQ(Path(path).size(), std::string("%~long/").size() + 64);
}

TEST_F(CollectionEntriesTest, TwoThingsNeverShareAName) {
  EntryNames names;
  EXPECT_EQ(names.Take("files/", "etc/passwd"), "files/etc/passwd");
  EXPECT_EQ(names.Take("files/", "etc/passwd"), "files/%~1/etc/passwd");
  EXPECT_EQ(names.Take("files/", "etc/PASSWD"), "files/%~2/etc/PASSWD") << "in either case";
  EXPECT_EQ(names.Take("files/", "etc"), "files/%~3/etc") << "a directory already";
  EXPECT_EQ(names.Take("files/", "etc/passwd/x"), "files/%~4/etc/passwd/x") << "a file already";
}

}  // namespace
}  // namespace holdfast::cli
