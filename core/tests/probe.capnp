@0xe3b1c9f25d7a4086;
# A schema for tests of core/codec.h only.
using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("homeport::core::test_wire");

struct Probe {
  number @0 :UInt64;
  text @1 :Text;
  data @2 :Data;
  children @3 :List(Probe);
  next @4 :Probe;
}
