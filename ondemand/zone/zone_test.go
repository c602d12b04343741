package zone

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
)

func TestLoad(t *testing.T) {
	for _, name := range []string{"UTC", "Asia/Kolkata", "America/Argentina/Buenos_Aires", "Etc/GMT+5"} {
		if _, err := Load(name); err != nil {
			t.Error(err)
		}
	}
	t.Setenv("ZONEINFO", "/nowhere")
	t.Setenv("TZ", "Asia/Kolkata")
	for _, name := range []string{"", "Local", "+05:30", "UTC+1", "asia/kolkata", "../Asia/Kolkata", "Asia/", "Asia", "EST5"} {
		if _, err := Load(name); !errors.Is(err, fstore.ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestOffset(t *testing.T) {
	berlin, err := Load("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2021, 7, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	offset, from, before := berlin.Offset(at)
	wantFrom, wantBefore := time.Date(2021, 3, 28, 1, 0, 0, 0, time.UTC).UnixMicro(), time.Date(2021, 10, 31, 1, 0, 0, 0, time.UTC).UnixMicro()
	if offset != 7200_000_000 || from != wantFrom || before != wantBefore {
		t.Errorf("%d from %d to %d", offset, from, before)
	}
}

// Where this Go has the data of Version, the archive is the same.
func TestVersion(t *testing.T) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(strings.TrimSpace(string(root)), "lib", "time")
	script, err := os.ReadFile(filepath.Join(dir, "update.bash"))
	if err != nil || !strings.Contains(string(script), "DATA="+Version+"\n") {
		t.Skip("this Go has other data")
	}
	data, err := os.ReadFile(filepath.Join(dir, "zoneinfo.zip"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, []byte(archive)) {
		t.Errorf("zoneinfo.zip is not the archive of %s", Version)
	}
}

// Thousands of rows may name a zone that does not exist.
func TestUnknownZonesCostLittle(t *testing.T) {
	if Known("Asia/Kolkatta") != nil || Known("") != nil || Known("Asia/Kolkata") == nil {
		t.Error("wrong zones are known")
	}
	if n := testing.AllocsPerRun(10, func() { Known("Asia/Kolkatta") }); n > 0 {
		t.Errorf("%v allocations for an unknown name", n)
	}
}
