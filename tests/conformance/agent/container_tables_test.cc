// docker_*: against an engine that answers what one answers, and worse.
#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/tables/docker_api.h"
#include "tests/support/query_harness.h"
#include "tests/support/temp_dir.h"

namespace holdfast::agent {
namespace {

using holdfast::testing::TempDir;

// Answers each request with what `answers` has for its path, and closes.
class Engine {
 public:
  explicit Engine(std::map<std::string, std::string> answers) : answers_(std::move(answers)) {
    std::filesystem::create_directories(root_ / "var/run");
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    const std::string path = root_ / "var/run/docker.sock";
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    listener_ = socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT_EQ(bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(listener_, 8), 0);
    thread_ = std::thread([this] { Serve(); });
  }
  ~Engine() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  Rows Ask(const std::string& sql) {
    machine.asked.clear();
    QueryEngine engine(machine, AllTables(), {});
    TextSink sink;
    const QueryEnd end = engine.Run(sql, sink);
    note = end.note;
    return end.stop == QueryStop::kDone ? sink.rows : Rows{"failed: " + end.message};
  }
  std::string Put(const std::string& name, std::string_view text) {
    std::filesystem::create_directories((root_ / name).substr(0, (root_ / name).rfind('/')));
    return root_.Write(name, text);
  }

 private:
  void Serve() {
    while (true) {
      const int fd = accept(listener_, nullptr, nullptr);
      if (fd < 0) return;
      std::string request;
      char piece[512];
      while (request.find("\r\n\r\n") == std::string::npos) {
        const ssize_t got = read(fd, piece, sizeof piece);
        if (got <= 0) break;
        request.append(piece, static_cast<std::size_t>(got));
      }
      std::string path = request.substr(0, request.find(" HTTP/1.0\r\n"));
      path.erase(0, 4);  // GET
      const auto found = answers_.find(path);
      const std::string answer = found == answers_.end()
                                     ? "HTTP/1.0 404 Not Found\r\n\r\n{\"message\":\"no\"}"
                                     : "HTTP/1.0 200 OK\r\nX: y\r\n\r\n" + found->second;
      (void)!write(fd, answer.data(), answer.size());
      close(fd);
    }
  }

  TempDir root_;
  ProcfsMachine tree_{root_.path()};
  std::map<std::string, std::string> answers_;
  int listener_ = -1;
  std::thread thread_;

 public:
  RecordingMachine machine{tree_};
  std::string note;
};

constexpr const char* kList = R"j([
 {"Id":"aa11","Names":["/web","/other/web"],"Image":"nginx:1","ImageID":"sha256:77","Command":"nginx -g \"x\"",
  "Created":1700000000,"State":"running","Status":"Up 2 hours",
  "Ports":[{"IP":"0.0.0.0","PrivatePort":80,"PublicPort":8080,"Type":"tcp"},{"PrivatePort":443,"Type":"tcp"}],
  "Mounts":[{"Type":"bind","Source":"/etc","Destination":"/host\u001b","Mode":"ro","RW":false,"Propagation":"rprivate"}],
  "NetworkSettings":{"Networks":{"bridge":{"NetworkID":"n1","EndpointID":"e1","Gateway":"172.17.0.1",
   "IPAddress":"172.17.0.2","IPPrefixLen":16,"IPv6Gateway":"","GlobalIPv6Address":"","GlobalIPv6PrefixLen":0,
   "MacAddress":"02:42:ac:11:00:02"}}}},
 {"Id":"bb22","Names":["/../../x"],"Image":"evil","ImageID":"sha256:78","Command":"sh","Created":1,"State":"exited",
  "Status":"Exited (0)","Ports":[],"Mounts":null}])j";
constexpr const char* kDetails =
    R"j({"Id":"aa11","Path":"nginx","State":{"Pid":42,"StartedAt":"2026-11-30T10:00:00Z",
 "FinishedAt":"0001-01-01T00:00:00Z"},"Config":{"Entrypoint":["/entry.sh","a b"],"Env":["A=b","PATH=/bin"]},
 "HostConfig":{"Privileged":true,"SecurityOpt":null,"ReadonlyRootfs":false}})j";

std::map<std::string, std::string> Usual() {
  return {
      {"/containers/json?all=1", kList},
      {"/containers/aa11/json", kDetails},
      {"/containers/aa11/"
       "top?ps_args=-eo%20pid,stat,ruid,rgid,euid,egid,suid,sgid,rss,vsz,etimes,ppid,pgid,"
       "nlwp,nice,user,time,pcpu,pmem,args",
       R"({"Titles":["PID"],"Processes":[["42","Ss","0","1","2","3","4","5","6","7","85","1","42","3","-5",
           "root","1-00:00:01","12.5","0.1","nginx: master process"],["43"]]})"},
      {"/images/json",
       R"([{"Id":"sha256:77","Created":1690000000,"Size":123456789012,"RepoTags":["nginx:1","nginx:latest"]},
           {"Id":"sha256:78","Created":2,"Size":3,"RepoTags":null}])"},
      {"/info",
       R"({"ID":"XY:Z","Containers":2,"ContainersRunning":1,"Driver":"overlay2","MemoryLimit":true,"SwapLimit":false,
           "NCPU":4,"MemTotal":8000000000,"Name":"host\n1","ServerVersion":"24.0","DockerRootDir":"/var/lib/docker"})"}};
}

TEST(DockerTablesTest, TellOfContainersAndTheirParts) {
  Engine engine(Usual());
  EXPECT_EQ(
      engine.Ask("SELECT * FROM docker_containers WHERE id = 'aa11'"),
      Rows{"aa11|/web|nginx:1|sha256:77|nginx -g \"x\"|1700000000|running|Up 2 hours|42|nginx|"
           "['/entry.sh', 'a b']|2026-11-30T10:00:00Z|0001-01-01T00:00:00Z|1|NULL|"
           "['A=b', 'PATH=/bin']|0|NULL|NULL|NULL|NULL|NULL|NULL|NULL"});
  EXPECT_EQ(engine.Ask("SELECT id, state FROM docker_containers"),
            (Rows{"aa11|running", "bb22|exited"}));
  EXPECT_EQ(engine.machine.asked.size(), 1U) << "no details are wanted";
  EXPECT_EQ(engine.Ask("SELECT * FROM docker_container_ports"),
            (Rows{"aa11|tcp|80|0.0.0.0|8080", "aa11|tcp|443|NULL|NULL"}));
  EXPECT_EQ(engine.Ask("SELECT * FROM docker_container_mounts"),
            Rows{"aa11|bind|NULL|/etc|/host\x1b|NULL|ro|0|rprivate"});
  EXPECT_EQ(engine.Ask("SELECT * FROM docker_container_networks"),
            Rows{"aa11|bridge|n1|e1|172.17.0.1|172.17.0.2|16|||0|02:42:ac:11:00:02"});
}

TEST(DockerTablesTest, TellOfProcessesImagesAndTheEngine) {
  Engine engine(Usual());
  engine.Put("proc/42/comm", "nginx\n");
  EXPECT_EQ(engine.Ask("SELECT * FROM docker_container_processes WHERE id = 'aa11'"),
            (Rows{"aa11|42|nginx|nginx: master process|Ss|0|1|2|3|4|5|0|6144|7168|1700093700|1|42|"
                  "3|-5|root|1-00:00:01|12.500000|0.100000",
                  "aa11|43|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|0|NULL|NULL|NULL|NULL|NULL|"
                  "NULL|NULL|NULL|NULL|NULL|NULL"}));
  EXPECT_EQ(engine.Ask("SELECT c.name, p.pid FROM docker_containers c JOIN "
                       "docker_container_processes p USING (id) WHERE p.threads = 3"),
            Rows{"/web|42"});
  EXPECT_EQ(engine.Ask("SELECT * FROM docker_images"),
            (Rows{"sha256:77|1690000000|123456789012|nginx:1,nginx:latest", "sha256:78|2|3|"}));
  EXPECT_EQ(engine.Ask("SELECT id, containers, containers_paused, memory_limit, swap_limit, cpus, "
                       "memory, name, root_dir FROM docker_info"),
            Rows{"XY:Z|2|NULL|1|0|4|8000000000|host\n1|/var/lib/docker"});
}

TEST(DockerTablesTest, AskForNothingThatAnIdCouldSmuggleIn) {
  Engine engine(Usual());
  for (const char* id : {"../images", "aa11/json?x=", "a b", "", "a\r\nX: y", ".hidden"}) {
    EXPECT_EQ(engine.Ask("SELECT pid FROM docker_container_processes WHERE id = '" +
                         std::string(id) + "'"),
              Rows{});
    EXPECT_TRUE(engine.machine.asked.empty()) << id;
  }
  EXPECT_EQ(engine.Ask("SELECT pid FROM docker_container_processes"),
            Rows{"failed: table docker_container_processes needs an id, for example WHERE id = "
                 "'web'; or join it with docker_containers USING (id)"});
}

TEST(DockerTablesTest, SayWhatTheEngineAnswersInsteadAndAreEmptyWithoutOne) {
  Engine engine(std::map<std::string, std::string>{{"/info", "no JSON at all"}});
  EXPECT_EQ(engine.Ask("SELECT id FROM docker_images"), Rows{});
  EXPECT_EQ(engine.note, "/var/run/docker.sock answers /images/json with: HTTP/1.0 404 Not Found");
  EXPECT_EQ(engine.Ask("SELECT count(*) FROM docker_info"), Rows{"0"});
  QueryHarness harness;
  for (const Table* table : AllTables()) {
    if (!table->name.starts_with("docker_")) continue;
    EXPECT_EQ(harness.Ask("SELECT id FROM " + std::string(table->name) + " WHERE id = 'x'"),
              Rows{});
    EXPECT_EQ(harness.end.note, "");
  }
}

TEST(DockerTablesTest, TakeAnAnswerApartOnlyWhenItIsOne) {
  EXPECT_EQ(BodyOfHttp("HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody"), "body");
  EXPECT_EQ(BodyOfHttp("HTTP/1.1 500 no\r\n\r\nbody"), std::nullopt);
  EXPECT_EQ(BodyOfHttp("SSH-2.0-x\r\n\r\n"), std::nullopt);
  EXPECT_EQ(BodyOfHttp("HTTP/1.1 200 OK\r\n"), std::nullopt);
  EXPECT_EQ(BodyOfHttp(""), std::nullopt);
}

}  // namespace
}  // namespace holdfast::agent
