// Reads COUNT ranges of SIZE bytes, STEP bytes apart, of the file at URL in one vector read;
// writes them to stdout, one behind the other.
#include <fcntl.h>

#include <cstdlib>
#include <davix.hpp>
#include <iostream>
#include <vector>

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  const std::string url = argv[1];
  const size_t count = std::strtoul(argv[2], nullptr, 10);
  const size_t size = std::strtoul(argv[3], nullptr, 10);
  const size_t step = std::strtoul(argv[4], nullptr, 10);

  std::vector<char> bytes(count * size);
  std::vector<Davix::DavIOVecInput> ranges(count);
  std::vector<Davix::DavIOVecOuput> found(count);
  for (size_t i = 0; i < count; ++i) {
    ranges[i].diov_buffer = &bytes[i * size];
    ranges[i].diov_offset = i * step;
    ranges[i].diov_size = size;
  }

  Davix::Context context;
  Davix::DavPosix posix(&context);
  Davix::RequestParams parameters;
  Davix::DavixError *error = nullptr;
  DAVIX_FD *file = posix.open(&parameters, url, O_RDONLY, &error);
  if (file && posix.preadVec(file, ranges.data(), found.data(), count, &error) >= 0) {
    std::cout.write(bytes.data(), bytes.size());
    posix.close(file, nullptr);
    return 0;
  }
  std::cerr << (error ? error->getErrMsg() : "unknown") << std::endl;
  return 1;
}
