package certfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/certfile"
	"github.com/fstore-dev/fstore/internal/certfile/certtest"
	"github.com/fstore-dev/fstore/regular"
)

// Every mistake names the file, and no error quotes it.
func TestWrongFilesAreNamed(t *testing.T) {
	ca := certtest.New(t, "ca", time.Now())
	good, other, old := ca.Issue(t, "good"), ca.Issue(t, "other"), ca.IssueUntil(t, "old", time.Now().Add(-time.Minute))
	early := ca.IssueUntil(t, "early", time.Now().Add(10*time.Hour))
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const secret = "c2VjcmV0LW9mLXRoZS1rZXk="
	text := file("text", "no PEM but "+secret)
	empty := file("empty", "")
	damaged := file("damaged", "-----BEGIN CERTIFICATE-----\n"+secret+"\n-----END CERTIFICATE-----\n")
	loose := file("loose", secret)
	if err := os.Chmod(loose, 0o666); err != nil {
		t.Fatal(err)
	}
	broken := file("broken", "-----BEGIN PRIVATE KEY-----\n"+secret+"\n-----END PRIVATE KEY-----\n")
	locked := file("locked", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"+secret+"\n-----END ENCRYPTED PRIVATE KEY-----\n")
	for _, c := range []struct {
		name             string
		certificate, key string
		role             certfile.Role
		says, hint       string
	}{
		{"no key", good.Certificate, "", certfile.Key, "is missing beside the certificate", "private key"},
		{"no certificate", "", good.Key, certfile.Certificate, "is missing beside the key", "certificate that belongs to the key"},
		{"absent", dir + "/nope", good.Key, certfile.Certificate, "no such file", "PEM file"},
		{"absent key", good.Certificate, dir + "/nope", certfile.Key, "no such file", "PEM file"},
		{"a folder", dir, good.Key, certfile.Certificate, "is a folder", "PEM file"},
		{"a key that others may write", good.Certificate, loose, certfile.Key, "can be changed by other users", "chmod go-w"},
		{"not PEM", text, good.Key, certfile.Certificate, "has no certificate in PEM format", "BEGIN CERTIFICATE"},
		{"empty", empty, good.Key, certfile.Certificate, "has no certificate in PEM format", "BEGIN CERTIFICATE"},
		{"damaged", damaged, good.Key, certfile.Certificate, "cannot be parsed", "openssl x509"},
		{"key is not PEM", good.Certificate, text, certfile.Key, "has no private key in PEM format", "BEGIN PRIVATE KEY"},
		{"broken key", good.Certificate, broken, certfile.Key, "is not the private key of", "requested with"},
		{"encrypted key", good.Certificate, locked, certfile.Key, "is encrypted", "decrypt"},
		{"swapped", good.Key, good.Certificate, certfile.Certificate, "has a private key but no certificate", "where the key belongs"},
		{"certificate twice", good.Certificate, good.Certificate, certfile.Key, "has a certificate but no private key", "where the certificate belongs"},
		{"another's key", good.Certificate, other.Key, certfile.Key, "is not the private key of", "requested with"},
		{"expired", old.Certificate, old.Key, certfile.Certificate, "expired at", "renew"},
		{"early", early.Certificate, early.Key, certfile.Certificate, "is not valid before", "clock"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := certfile.Pair(c.certificate, c.key, time.Now())
			wantError(t, err, c.role, c.says, c.hint)
			if strings.Contains(err.Error(), secret[:8]) {
				t.Errorf("the error quotes the file: %v", err)
			}
		})
	}
	for _, p := range []certtest.Pair{good, old} {
		if _, err := certfile.Pair(p.Certificate, p.Key, time.Time{}); err != nil {
			t.Errorf("at any time: %v", err)
		}
	}
	if _, err := certfile.Pair(good.Certificate, good.Key, time.Now()); err != nil {
		t.Error(err)
	}
	_, err := certfile.Pool(text, time.Now())
	wantError(t, err, certfile.CA, "has no certificate in PEM format", "BEGIN CERTIFICATE")
	_, err = certfile.Pool(ca.File, time.Now().Add(48*time.Hour))
	wantError(t, err, certfile.CA, "has only expired certificates", "current certificate")
	if _, err := certfile.Pool(ca.File, time.Now()); err != nil {
		t.Error(err)
	}
}

func wantError(t *testing.T, err error, role certfile.Role, says, hint string) {
	t.Helper()
	var wrong *certfile.Error
	if !errors.As(err, &wrong) || wrong.Role != role || !strings.Contains(wrong.Err.Message, says) || !strings.Contains(wrong.Err.Hint, hint) || !errors.Is(err, fstore.ErrInvalid) {
		t.Errorf("got %v, want %s: %s (%s)", err, role, says, hint)
	}
}

func TestAKeyThatAllMayReadIsExposed(t *testing.T) {
	p := certtest.New(t, "ca", time.Now()).Issue(t, "server")
	if regular.IsExposed(p.Key) {
		t.Error("mode 0600")
	}
	if err := os.Chmod(p.Key, 0o644); err != nil {
		t.Fatal(err)
	}
	if !regular.IsExposed(p.Key) {
		t.Error("mode 0644")
	}
}
