package fstorev1

import (
	"crypto/sha256"
	"encoding/hex"
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

// TestGeneratedCodeIsOfThisProto fails where the .proto was changed and proto/generate.sh was not run.
func TestGeneratedCodeIsOfThisProto(t *testing.T) {
	text, err := os.ReadFile("feature_store.proto")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	if got := hex.EncodeToString(sum[:]); got != protoDigest {
		t.Errorf("feature_store.proto has digest %s, the generated code is of %s: run proto/generate.sh", got, protoDigest)
	}
}

// TestGeneratedCodeHasTheProtosDescriptor compares what the code says of itself with what protoc reads.
func TestGeneratedCodeHasTheProtosDescriptor(t *testing.T) {
	protoc, err := exec.LookPath("protoc")
	if err != nil {
		t.Log("no protoc here: the digest alone is compared")
		return
	}
	out := filepath.Join(t.TempDir(), "set")
	cmd := exec.Command(protoc, "--proto_path=../..", "--descriptor_set_out="+out, "fstore/v1/feature_store.proto")
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
	got := protodesc.ToFileDescriptorProto(File_fstore_v1_feature_store_proto)
	if diff := cmp.Diff(set.File[0], got, protocmp.Transform()); diff != "" {
		t.Errorf("the generated code differs from the .proto (-proto +code), run proto/generate.sh:\n%s", diff)
	}
}
