// For tests: captures made of values. A conversation makes segments, and a file is written of them in every format. What is read
// from it is shown as lines.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "replay/exchange.h"

namespace rehearse::replay::testing {

// One TCP segment on its way between two IPv4 (or, when the text holds a colon, IPv6) endpoints.
struct Wire {
  std::string source = "10.0.0.1", destination = "10.0.0.2";
  std::uint16_t source_port = 40'000, destination_port = 80;
  std::uint32_t sequence = 0, acknowledgement = 0;
  bool syn = false, ack = false, fin = false, rst = false;
  std::string payload;
  std::int64_t time_ns = 0;
  std::size_t snap_length = 262'144;
  bool length_unknown = false;  // an IP length of 0, as segmentation offload leaves it
};

enum class Link { ethernet, vlan, two_vlans, raw, linux_sll, linux_sll2, null };

struct Format {
  bool pcapng = false;
  bool big_endian = false;
  bool nanoseconds = false;
  Link link = Link::ethernet;
};

// A client and a server that speak; each call appends a segment, a millisecond after the one before.
class Conversation {
 public:
  explicit Conversation(std::uint16_t client_port = 40'000, std::uint32_t client_start = 1000,
                        std::uint32_t server_start = 5000);

  Conversation& open();  // SYN, SYN-ACK, ACK
  Conversation& client(std::string_view bytes);
  Conversation& server(std::string_view bytes);
  Conversation& close();  // FIN of the server, then of the client
  Conversation& client_fin();
  Conversation& server_fin();

  std::vector<Wire> wires;
  std::string client_address = "10.0.0.1", server_address = "10.0.0.2";
  std::int64_t now_ns = 1'700'000'000'000'000'000;

 private:
  Wire& add(bool from_client, std::string_view bytes);
  std::uint16_t port_;
  std::uint32_t client_next_, server_next_;
};

// The file's bytes.
[[nodiscard]] std::string capture_of(const std::vector<Wire>& wires, const Format& format = {});

// Messages of HTTP/1.1.
[[nodiscard]] std::string get(const std::string& target);
[[nodiscard]] std::string post(const std::string& target, const std::string& body);
[[nodiscard]] std::string ok(const std::string& body);

// "POST /a body -> 200 body [flag]": what a reader of the capture sees. Of a long answer only how long it is.
[[nodiscard]] std::string in_a_line(const Exchange& exchange);
[[nodiscard]] std::vector<std::string> lines_of(const Traffic& traffic);

// Every packet and every byte is counted once; `what` is said when it is not so.
void expect_conservation(const Traffic& traffic, std::string_view what = "");

// A folder of its own for each test, gone when it ends.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] std::string path(std::string_view name) const { return (path_ / name).string(); }
  // Writes the bytes into a file of that name and returns its path.
  std::string write(std::string_view name, std::string_view bytes) const;

 private:
  std::filesystem::path path_;
};

}  // namespace rehearse::replay::testing
