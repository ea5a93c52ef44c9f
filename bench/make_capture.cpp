// Writes a capture of keep-alive connections: `make_capture FILE MEGABYTES CONNECTIONS ANSWER_BYTES`. The connections take turns;
// answers come in segments of 1448 bytes, every second of which is acknowledged.
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

struct Connection {
  std::uint32_t client_next = 1001, server_next = 5001;
  bool open = false;
};

class Capture {
 public:
  explicit Capture(const char* path) : file_(std::fopen(path, "wb")) {
    if (!file_) {
      std::perror(path);
      std::exit(3);
    }
    const std::uint32_t header[] = {0xa1b2c3d4, 0x00040002, 0, 0, 262'144, 1};
    std::fwrite(header, sizeof header, 1, file_);
  }
  ~Capture() { std::fclose(file_); }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  void packet(std::size_t connection, bool to_server, std::uint32_t sequence, std::uint32_t acknowledgement, int flags,
              const char* payload, std::size_t size) {
    std::array<unsigned char, 54> head{};
    head[12] = 8;
    unsigned char* ip = head.data() + 14;
    ip[0] = 0x45;
    big16(ip + 2, 40 + size);
    ip[6] = 0x40;
    ip[8] = 64;
    ip[9] = 6;
    const std::uint32_t client = 0x0a000000u + static_cast<std::uint32_t>(connection / 20'000 + 1);
    big32(ip + (to_server ? 12 : 16), client);
    big32(ip + (to_server ? 16 : 12), 0x0aff0001u);
    unsigned char* tcp = ip + 20;
    big16(tcp + (to_server ? 0 : 2), 20'000 + connection % 20'000);
    big16(tcp + (to_server ? 2 : 0), 80);
    big32(tcp + 4, sequence);
    big32(tcp + 8, acknowledgement);
    tcp[12] = 0x50;
    tcp[13] = static_cast<unsigned char>(flags);
    big16(tcp + 14, 65'535);
    time_us_ += 3;
    const auto length = static_cast<std::uint32_t>(head.size() + size);
    const std::uint32_t record[] = {static_cast<std::uint32_t>(time_us_ / 1'000'000),
                                    static_cast<std::uint32_t>(time_us_ % 1'000'000), length, length};
    std::fwrite(record, sizeof record, 1, file_);
    std::fwrite(head.data(), head.size(), 1, file_);
    std::fwrite(payload, size, 1, file_);
    written_ += sizeof record + length;
  }
  [[nodiscard]] std::uint64_t written() const { return written_; }

 private:
  static void big16(unsigned char* at, std::size_t value) {
    at[0] = static_cast<unsigned char>(value >> 8);
    at[1] = static_cast<unsigned char>(value);
  }
  static void big32(unsigned char* at, std::uint32_t value) {
    big16(at, value >> 16);
    big16(at + 2, value & 0xffff);
  }
  std::FILE* file_;
  std::uint64_t time_us_ = 1'700'000'000'000'000;
  std::uint64_t written_ = 24;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fputs("make_capture FILE MEGABYTES CONNECTIONS ANSWER_BYTES\n", stderr);
    return 3;
  }
  Capture capture(argv[1]);
  const std::uint64_t wanted = std::strtoull(argv[2], nullptr, 10) * 1'000'000;
  std::vector<Connection> connections(std::strtoull(argv[3], nullptr, 10));
  const std::string body = "{\"k\":\"" + std::string(std::strtoull(argv[4], nullptr, 10), 'x') + "\"}";
  constexpr int ack = 16, push = 24, syn = 2;
  for (std::uint64_t n = 0; capture.written() < wanted; ++n) {
    const std::size_t i = n % connections.size();
    Connection& c = connections[i];
    if (!c.open) {
      capture.packet(i, true, 1000, 0, syn, "", 0);
      capture.packet(i, false, 5000, 1001, syn | ack, "", 0);
      capture.packet(i, true, 1001, 5001, ack, "", 0);
      c.open = true;
    }
    char text[512];
    const int asked = std::snprintf(text, sizeof text,
                                    "GET /orders/%llu?page=2 HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: curl/8\r\n"
                                    "Accept: */*\r\nX-Request-Id: %032llx\r\n\r\n",
                                    static_cast<unsigned long long>(n), static_cast<unsigned long long>(n));
    capture.packet(i, true, c.client_next, c.server_next, push, text, static_cast<std::size_t>(asked));
    c.client_next += static_cast<std::uint32_t>(asked);
    std::snprintf(text, sizeof text,
                  "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\nServer: nginx\r\n"
                  "ETag: \"%08llx\"\r\n\r\n",
                  body.size(), static_cast<unsigned long long>(n));
    const std::string answer = text + body;
    for (std::size_t at = 0, segment = 0; at < answer.size(); at += 1448, ++segment) {
      const std::size_t size = std::min<std::size_t>(1448, answer.size() - at);
      capture.packet(i, false, c.server_next, c.client_next, at + size == answer.size() ? push : ack,
                     answer.data() + at, size);
      c.server_next += static_cast<std::uint32_t>(size);
      if (segment % 2 == 1) capture.packet(i, true, c.client_next, c.server_next, ack, "", 0);
    }
    capture.packet(i, true, c.client_next, c.server_next, ack, "", 0);
  }
}
