#include "backend/supervisor/backup_archive.h"

#include <memory>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>

#include "backend/adapters/linux/unique_fd.h"
#include "common/adapters/openssl/openssl_crypto.h"
#include "tests/support/temp_dir.h"

namespace holdfast::backend {
namespace {

class BackupArchiveTest : public ::testing::Test {
 protected:
  static UniqueFd Open(const std::string& path, int flags) {
    return UniqueFd(::open(path.c_str(), flags | O_CLOEXEC, 0600));
  }
  // The members' own bytes, after the manifest was found right.
  std::string ReadBack() {
    const UniqueFd fd = Open(file_, O_RDONLY);
    ArchiveReader reader(fd.get(), *crypto_, stop_, nullptr);
    std::string all;
    for (;;) {
      const auto member = reader.Next();
      if (!member.ok()) return "no member: " + member.error().message;
      if (member.value().name == kManifestMember) break;
      all += member.value().name + "=" + reader.Text(1000).value() + ";";
    }
    const Status whole = reader.CheckManifest();
    return whole.ok() ? all : whole.error().message;
  }

  ::holdfast::testing::TempDir dir_;
  const std::string file_ = dir_ / "backup";
  const std::unique_ptr<sign::Crypto> crypto_ = NewOpensslCrypto();
  const StopRequest stop_;
};

TEST_F(BackupArchiveTest, WhatCannotBeReadIsZerosAndAllElseStands) {
  const UniqueFd fd = Open(file_, O_WRONLY | O_CREAT);
  ArchiveWriter writer(fd.get(), *crypto_, stop_, 0, nullptr);
  const UniqueFd good = Open(dir_.Write("good", "all of it"), O_RDONLY);
  const UniqueFd cut = Open(dir_.Write("cut", "half"), O_RDONLY);
  const UniqueFd broken = Open("/proc/self/mem", O_RDONLY);  // at 0 nothing is: EIO
  const auto first = writer.AddFile("cut", cut.get(), 6);
  const auto second = writer.AddFile("broken", broken.get(), 3);
  const auto third = writer.AddFile("good", good.get(), 9);
  ASSERT_TRUE(first.ok() && second.ok() && third.ok());
  EXPECT_EQ(first.value().fault, "shorter than it should be");
  EXPECT_EQ(second.value().fault, "Input/output error");
  EXPECT_EQ(third.value().fault, "");
  EXPECT_EQ(first.value().sha256, crypto_->Sha256(std::string("half\0\0", 6)));
  ASSERT_TRUE(writer.Finish().ok());
  EXPECT_EQ(ReadBack(), std::string("cut=half\0\0;broken=\0\0\0;good=all of it;", 37));
}

}  // namespace
}  // namespace holdfast::backend
