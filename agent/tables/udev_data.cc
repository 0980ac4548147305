#include "agent/tables/udev_data.h"

#include "agent/tables/text.h"

namespace holdfast::agent {

Device::Device(Machine& machine, std::string directory, std::string_view kind)
    : machine_(machine), directory_(std::move(directory)) {
  uevent_ = ReadOr(machine_, directory_ + "/uevent");
  std::string path = "/run/udev/data/";
  path.append(kind);
  if (kind.starts_with('+')) {
    path.append(BaseName(directory_));
  } else {
    path.append(ReadValue(machine_, directory_ + "/dev"));
  }
  udev_ = ReadOr(machine_, path);
}

std::string Device::Kernel(std::string_view key) const {
  return std::string(ValueOf(uevent_, key));
}

std::string Device::Udev(std::string_view key) const {
  return std::string(ValueOf(udev_, "E:" + std::string(key)));
}

std::string Device::Attribute(std::string_view file) const {
  std::string path = directory_;
  return ReadValue(machine_, path.append("/").append(file));
}

}  // namespace holdfast::agent
