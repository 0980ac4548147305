// authorized_keys, known_hosts, ssh_configs and user_ssh_keys: over the fixture tree and hostile homes.
#include <filesystem>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/tables/ssh_files.h"
#include "tests/support/query_harness.h"
#include "tests/support/temp_dir.h"

namespace holdfast::agent {
namespace {

using holdfast::testing::ReadWhole;
using holdfast::testing::TempDir;

TEST(AuthorizedKeysTableTest, TakesOptionsApartAndKeepsHostileBytes) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT *, pid_with_namespace FROM authorized_keys"),
            (Rows{"0|sk-ssh-ed25519@openssh.com|AAAAG||root|/root/.ssh/authorized_keys2|0",
                  "1001|ssh-ed25519|AAAAC3Nz||t@laptop|/home/t/.ssh/authorized_keys|0",
                  "1001|ssh-rsa|AAAAB3|from=\"10.0.0.0/8\",command=\"/bin/sh -c \\\"id me\\\"\"|"
                  "key with words|/home/t/.ssh/authorized_keys|0",
                  "1001|ssh-rsa|AAAA|\xff\x1b[2J||/home/t/.ssh/authorized_keys|0"}));
}

TEST(AuthorizedKeysTableTest, ReadsOnlyTheHomeThatIsAskedFor) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT key FROM authorized_keys WHERE uid = 0"), Rows{"AAAAG"});
  EXPECT_EQ(harness.machine.read,
            (std::vector<std::string>{"/etc/passwd", "/root/.ssh/authorized_keys",
                                      "/root/.ssh/authorized_keys2"}));
}

TEST(KnownHostsTableTest, GivesTheLinesOfHomesAndOfTheMachine) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT * FROM known_hosts"),
            (Rows{"1001||1|salt=|hash= ssh-ed25519 AAAA|/home/t/.ssh/known_hosts",
                  "1001|@revoked *.example ssh-rsa AAAB|/home/t/.ssh/known_hosts",
                  "0|all.example ssh-rsa AAAC|/etc/ssh/ssh_known_hosts"}));
  EXPECT_EQ(harness.Ask("SELECT count(*) FROM known_hosts WHERE uid = 1001"), Rows{"2"});
}

TEST(SshConfigsTableTest, GivesOptionsWithTheirBlock) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT * FROM ssh_configs"),
            (Rows{"1001||port 2222|/home/t/.ssh/config",
                  "1001|host bad\xff|proxycommand /tmp/x %h|/home/t/.ssh/config",
                  "1001|match all|user me|/home/t/.ssh/config",
                  "0|host *|hashknownhosts yes|/etc/ssh/ssh_config"}));
}

TEST(UserSshKeysTableTest, TellsTypeLengthAndPassphraseOfEveryFormat) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT *, pid_with_namespace FROM user_ssh_keys"),
            (Rows{"1001|/home/t/.ssh/id_ec_sec1|0|ec|nistp256|256|128|0",
                  "1001|/home/t/.ssh/id_ecdsa|0|ec|nistp384|384|192|0",
                  "1001|/home/t/.ssh/id_ed25519|1|ed25519|NULL|256|128|0",
                  "1001|/home/t/.ssh/id_pkcs8|0|ec|nistp256|256|128|0",
                  "1001|/home/t/.ssh/id_pkcs8_ed|0|ed25519|NULL|256|128|0",
                  "1001|/home/t/.ssh/id_pkcs8_encrypted|1|NULL|NULL|NULL|NULL|0",
                  "1001|/home/t/.ssh/id_rsa|0|rsa|NULL|1024|80|0",
                  "1001|/home/t/.ssh/id_rsa_encrypted|1|rsa|NULL|NULL|NULL|0"}));
}

TEST(UserSshKeysTableTest, LooksOnePathUpWithoutListing) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT key_type FROM user_ssh_keys WHERE path = '/home/t/.ssh/id_rsa'"),
            Rows{"rsa"});
  EXPECT_EQ(harness.Ask("SELECT key_type FROM user_ssh_keys WHERE path = '/files/plain.txt'"),
            Rows{});
  EXPECT_TRUE(harness.machine.listed.empty());
}

TEST(UserSshKeysTableTest, TakesNoHarmFromTornKeys) {
  for (const char* name : {"id_ec_sec1", "id_ecdsa", "id_pkcs8", "id_rsa"}) {
    const std::string text =
        ReadWhole(std::string(HOLDFAST_FIXTURES "/procfs_fixture/home/t/.ssh/") + name);
    for (std::size_t size = 0; size < text.size(); ++size) {
      (void)ParsePrivateKey(text.substr(0, size));
    }
    EXPECT_GT(ParsePrivateKey(text)->bits, 0) << name;
  }
}

TEST(HomeTablesTest, OpenNothingButRegularFiles) {
  const TempDir dir;
  std::filesystem::create_directories(dir / "etc");
  std::filesystem::create_directories(dir / "home/x/.ssh/known_hosts");
  dir.Write("etc/passwd", "x:x:1:1::/home/x:/bin/sh\nnowhere:x:2:2:::\nrelative:x:3:3::home/x:\n");
  // A FIFO would hold the reader up, and opening a device can start something.
  ASSERT_EQ(mkfifo((dir / "home/x/.ssh/authorized_keys").c_str(), 0600), 0);
  ASSERT_EQ(symlink("/dev/urandom", (dir / "home/x/.ssh/config").c_str()), 0);
  ASSERT_EQ(symlink("loop", (dir / "home/x/.ssh/loop").c_str()), 0);
  dir.Write("home/x/.ssh/new\nline\xff\x1b[2J", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA");
  ProcfsMachine machine(dir.path());
  QueryEngine engine(machine, AllTables(), {});
  for (const char* table : {"authorized_keys", "known_hosts", "ssh_configs"}) {
    TextSink sink;
    EXPECT_EQ(engine.Run(std::string("SELECT * FROM ") + table, sink).stop, QueryStop::kDone);
    EXPECT_EQ(sink.rows, Rows{}) << table;
  }
  TextSink sink;
  (void)engine.Run("SELECT path, encrypted, key_type FROM user_ssh_keys", sink);
  EXPECT_EQ(sink.rows, Rows{"/home/x/.ssh/new\nline\xff\x1b[2J|0|NULL"});
}

}  // namespace
}  // namespace holdfast::agent
