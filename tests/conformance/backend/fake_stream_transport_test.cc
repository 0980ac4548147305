#include "tests/support/fake_stream_transport.h"

#include <set>

#include "tests/conformance/backend/stream_transport_suite.h"

namespace holdfast::testing {
namespace {

class FakeWorld final : public StreamWorld {
 public:
  // Destroyed by the suite before this; `all_` would dangle otherwise.
  struct Owned final : backend::StreamTransport {
    Owned(FakeWorld& in, std::string stream, backend::StreamTransportDelegate& delegate)
        : world(in), real(in.redis_, std::move(stream), delegate) {
      world.all_.insert(this);
    }
    ~Owned() override { world.all_.erase(this); }
    void SetReading(bool on) override { real.SetReading(on); }
    Status Add(std::string_view stream, std::string_view message) override {
      return real.Add(stream, message);
    }
    void Trim(std::string_view stream, std::string_view id) override { real.Trim(stream, id); }
    void Remove(std::string_view stream) override { real.Remove(stream); }
    bool connected() const override { return real.connected(); }
    FakeWorld& world;
    FakeStreamTransport real;
  };
  std::unique_ptr<backend::StreamTransport> Make(
      std::string own_stream, backend::StreamTransportDelegate& delegate) override {
    return std::make_unique<Owned>(*this, std::move(own_stream), delegate);
  }
  void Turn() override {
    for (Owned* const one : all_) one->real.Turn();
  }
  void Flush() override { redis_.Flush(); }
  void Restart() override { redis_.Restart(); }
  void MakeWrongType(const std::string& key) override {
    redis_.streams.erase(key);
    redis_.wrong_type.insert(key);
  }
  void SetRefusing(bool on) override { redis_.refuses = on; }
  void SetFrozen(bool on) override { redis_.frozen = on; }

 private:
  FakeRedis redis_;
  std::set<Owned*> all_;
};

INSTANTIATE_TEST_SUITE_P(Fake, StreamTransportSuite, ::testing::Values(StreamWorldMaker([] {
                           return std::make_unique<FakeWorld>();
                         })),
                         [](const auto&) { return "InMemory"; });

}  // namespace
}  // namespace holdfast::testing
