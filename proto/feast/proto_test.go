package feastpb

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/descriptorpb"
)

// TestGeneratedCodeIsOfTheseProtos fails where a .proto was changed and proto/generate.sh was not run. The tests in
// python/tests/feast compare the protos with Feast's own.
func TestGeneratedCodeIsOfTheseProtos(t *testing.T) {
	protoc, err := exec.LookPath("protoc")
	if err != nil {
		t.Log("no protoc here: nothing is compared")
		return
	}
	out := filepath.Join(t.TempDir(), "set")
	cmd := exec.Command(protoc, "--proto_path=..", "--descriptor_set_out="+out, "feast/types/Value.proto", "feast/serving/ServingService.proto")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("protoc: %v\n%s", err, text)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(b, &set); err != nil {
		t.Fatal(err)
	}
	var got descriptorpb.FileDescriptorSet
	got.File = append(got.File, protodesc.ToFileDescriptorProto(File_feast_types_Value_proto), protodesc.ToFileDescriptorProto(File_feast_serving_ServingService_proto))
	if diff := cmp.Diff(&set, &got, protocmp.Transform()); diff != "" {
		t.Errorf("the generated code differs from the protos (-protos +code), run proto/generate.sh:\n%s", diff)
	}
}
