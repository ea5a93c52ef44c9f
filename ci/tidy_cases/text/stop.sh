# Stops at a failure.
set -euo pipefail
