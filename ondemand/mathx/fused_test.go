package mathx

import (
	"os"
	"os/exec"
	"regexp"
	"testing"
)

// fusedInstruction matches those of arm64 and amd64 that multiply and add with one rounding.
var fusedInstruction = regexp.MustCompile(`\bV?FN?M(ADD|SUB)\w*`)

// No product is fused with a sum, here and in the kernels, on the processors where a compiler may.
func TestNoInstructionIsFused(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the standard library for two processors, once")
	}
	for _, target := range [][]string{{"GOARCH=arm64"}, {"GOARCH=amd64", "GOAMD64=v3"}} {
		if fusedInstruction.FindString(assembly(t, target, "./testdata/fused")) == "" {
			t.Errorf("%v: the fused instruction of testdata/fused is not found", target)
		}
		if found := fusedInstruction.FindString(assembly(t, target, ".", "../vector")); found != "" {
			t.Errorf("%v: %s rounds once; write the product as float64(x * y)", target, found)
		}
	}
}

// assembly returns the instructions of packages for a processor.
func assembly(t *testing.T, target []string, packages ...string) string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"build", "-gcflags=-S"}, packages...)...)
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS="), target...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", target, err, out)
	}
	return string(out)
}
