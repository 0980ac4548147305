// Device: one device of /sys, with what udev keeps of it.
//
//   uevent                   KEY=value, from the kernel
//   /run/udev/data/b8:1      E:KEY=value, from udev: names out of its hardware database, ids of file
//                            systems; anybody may read it, nobody need open the device
//
// Errors: what is missing is "".
#pragma once

#include <string>
#include <string_view>

#include "agent/tables/machine.h"

namespace holdfast::agent {

class Device {
 public:
  // `kind`: how udev's file of it begins: 'b' and 'c' go on with the numbers of its node, "+pci:"
  // with its name.
  Device(Machine& machine, std::string directory, std::string_view kind);
  std::string Kernel(std::string_view key) const;      // of uevent
  std::string Udev(std::string_view key) const;        // of udev's file
  std::string Attribute(std::string_view file) const;  // of a file of the directory
  const std::string& directory() const { return directory_; }

 private:
  Machine& machine_;
  std::string directory_;  // ends without '/'
  std::string uevent_;
  std::string udev_;
};

}  // namespace holdfast::agent
