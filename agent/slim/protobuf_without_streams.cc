// What libprotobuf-lite asks of C++ streams, of extensions and of its own text functions, answered without them.
//
// The agent neither logs through protobuf nor parses from std::istream, but the archive's objects refer
// to both, and one reference brings all of iostream and locale into a static program: 0.6 MB, and
// start-up work in every process; so does one for extensions, which proto3 has not (117 KB), and for the words of
// two error messages (50 KB). These definitions come before the archive's own, so that those
// objects stay out (protobuf 3.21, in Debian 12 and 13 and Ubuntu 24.04; with another version the link
// fails or the size check does). What must not be called aborts.
#include <cstdlib>
#include <ios>

#include <google/protobuf/extension_set.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <google/protobuf/stubs/logging.h>
#include <google/protobuf/stubs/port.h>
#include <google/protobuf/stubs/strutil.h>

// Every translation unit that includes <iostream>, as all of protobuf's do, has one of these.
namespace std {
ios_base::Init::Init() {}   // NOLINT(modernize-use-equals-default)
ios_base::Init::~Init() {}  // NOLINT(modernize-use-equals-default)
}  // namespace std

// The same since GCC 13: a name that <iostream> refers to. With an older compiler nobody does.
void InitStreams() __asm__("_ZSt21ios_base_library_initv");
void InitStreams() {}

// The default one prints, and brings the demangler along.
namespace __gnu_cxx {
void __verbose_terminate_handler() { std::abort(); }
}  // namespace __gnu_cxx

// std::ostream& operator<< of StringPiece and Status; see --wrap in agent/CMakeLists.txt.
extern "C" void
__wrap__ZSt16__ostream_insertIcSt11char_traitsIcEERSt13basic_ostreamIT_T0_ES6_PKS3_l();
extern "C" void
__wrap__ZSt16__ostream_insertIcSt11char_traitsIcEERSt13basic_ostreamIT_T0_ES6_PKS3_l() {
  std::abort();
}

namespace google::protobuf {

uint32_t ghtonl(uint32_t value) {
  return __builtin_bswap32(value);
}  // little endian, as all targets
LogHandler* SetLogHandler(LogHandler* /*handler*/) { return nullptr; }

// For messages to the log above, and to callers of InitializationErrorString: nobody.
namespace strings {
AlphaNum::AlphaNum(Hex /*number*/) {}
}  // namespace strings
std::string StrCat(const AlphaNum&, const AlphaNum&) { return {}; }
std::string StrCat(const AlphaNum&, const AlphaNum&, const AlphaNum&) { return {}; }
std::string StrCat(const AlphaNum&, const AlphaNum&, const AlphaNum&, const AlphaNum&,
                   const AlphaNum&) {
  return {};
}
std::string StrCat(const AlphaNum&, const AlphaNum&, const AlphaNum&, const AlphaNum&,
                   const AlphaNum&, const AlphaNum&) {
  return {};
}

namespace internal {

uint8_t* ExtensionSet::_InternalSerializeImpl(const MessageLite* /*extendee*/, int /*start*/,
                                              int /*end*/, uint8_t* /*target*/,
                                              io::EpsCopyOutputStream* /*stream*/) const {
  std::abort();  // only of the MessageSets of proto1
}

LogMessage::LogMessage(LogLevel level, const char* filename, int line)
    : level_(level), filename_(filename), line_(line) {}
LogMessage::~LogMessage() {}  // NOLINT(modernize-use-equals-default)
LogMessage& LogMessage::operator<<(const char* /*value*/) { return *this; }
LogMessage& LogMessage::operator<<(const std::string& /*value*/) { return *this; }
LogMessage& LogMessage::operator<<(int /*value*/) { return *this; }
LogMessage& LogMessage::operator<<(unsigned int /*value*/) { return *this; }
LogMessage& LogMessage::operator<<(unsigned long /*value*/) { return *this; }
void LogMessage::Finish() {
  if (level_ == LOGLEVEL_FATAL) std::abort();
}
void LogFinisher::operator=(LogMessage& message) { message.Finish(); }

}  // namespace internal

// The four adapters that MessageLite's stream and descriptor methods name. Nothing of ours calls those.
namespace io {

IstreamInputStream::IstreamInputStream(std::istream* stream, int /*block_size*/)
    : copying_input_(stream), impl_(&copying_input_) {
  std::abort();
}
bool IstreamInputStream::Next(const void** /*data*/, int* /*size*/) { return false; }
void IstreamInputStream::BackUp(int /*count*/) {}
bool IstreamInputStream::Skip(int /*count*/) { return false; }
int64_t IstreamInputStream::ByteCount() const { return 0; }
IstreamInputStream::CopyingIstreamInputStream::CopyingIstreamInputStream(std::istream* input)
    : input_(input) {}
IstreamInputStream::CopyingIstreamInputStream::~CopyingIstreamInputStream() = default;
int IstreamInputStream::CopyingIstreamInputStream::Read(void* /*buffer*/, int /*size*/) {
  return input_ == nullptr ? 0 : -1;
}

OstreamOutputStream::OstreamOutputStream(std::ostream* stream, int /*block_size*/)
    : copying_output_(stream), impl_(&copying_output_) {
  std::abort();
}
OstreamOutputStream::~OstreamOutputStream() = default;
bool OstreamOutputStream::Next(void** /*data*/, int* /*size*/) { return false; }
void OstreamOutputStream::BackUp(int /*count*/) {}
int64_t OstreamOutputStream::ByteCount() const { return 0; }
OstreamOutputStream::CopyingOstreamOutputStream::CopyingOstreamOutputStream(std::ostream* output)
    : output_(output) {}
OstreamOutputStream::CopyingOstreamOutputStream::~CopyingOstreamOutputStream() = default;
bool OstreamOutputStream::CopyingOstreamOutputStream::Write(const void* /*buffer*/, int /*size*/) {
  return output_ == nullptr;
}

FileInputStream::FileInputStream(int file_descriptor, int /*block_size*/)
    : copying_input_(file_descriptor), impl_(&copying_input_) {
  std::abort();
}
bool FileInputStream::Next(const void** /*data*/, int* /*size*/) { return false; }
void FileInputStream::BackUp(int /*count*/) {}
bool FileInputStream::Skip(int /*count*/) { return false; }
int64_t FileInputStream::ByteCount() const { return 0; }
FileInputStream::CopyingFileInputStream::CopyingFileInputStream(int file_descriptor)
    : file_(file_descriptor),
      close_on_delete_(false),
      is_closed_(false),
      errno_(0),
      previous_seek_failed_(false) {}
FileInputStream::CopyingFileInputStream::~CopyingFileInputStream() = default;
int FileInputStream::CopyingFileInputStream::Read(void* /*buffer*/, int /*size*/) { return -1; }
int FileInputStream::CopyingFileInputStream::Skip(int /*count*/) {
  return is_closed_ || previous_seek_failed_ ? file_ : 0;
}

FileOutputStream::FileOutputStream(int file_descriptor, int /*block_size*/)
    : CopyingOutputStreamAdaptor(&copying_output_), copying_output_(file_descriptor) {
  std::abort();
}
FileOutputStream::~FileOutputStream() = default;
FileOutputStream::CopyingFileOutputStream::CopyingFileOutputStream(int file_descriptor)
    : file_(file_descriptor), close_on_delete_(false), is_closed_(false), errno_(0) {}
FileOutputStream::CopyingFileOutputStream::~CopyingFileOutputStream() = default;
bool FileOutputStream::CopyingFileOutputStream::Write(const void* /*buffer*/, int /*size*/) {
  return is_closed_ && file_ < 0;
}

}  // namespace io
}  // namespace google::protobuf
