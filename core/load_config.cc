// The half of config.h that touches the disk.
#include "core/config.h"
#include "core/files.h"

namespace homeport::core {

Result<ClusterConfig> LoadClusterConfig(const std::string& file) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(file));
  return ParseClusterConfig(text, file);
}

}  // namespace homeport::core
