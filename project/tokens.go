package project

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/regular"
	"github.com/fstore-dev/fstore/server/access"
)

// Token is an entry of the tokens file, without what it is known by.
type Token struct {
	Name        string   `json:"name"`
	Certificate string   `json:"certificate,omitempty"`
	Grants      []string `json:"grants"`
	Expires     string   `json:"expires,omitempty"` // an instant; empty: never
	Expired     bool     `json:"expired,omitempty"`
}

// NewToken says which token to create.
type NewToken struct {
	Name    string
	Grants  []string
	Expires string // a duration such as 90d; empty: never
}

// CreateToken appends an entry to the tokens file, which it creates if there is none, and returns the token. The
// token is stored nowhere. It returns ErrConflict if the name is taken.
func (p *Project) CreateToken(n NewToken) (token string, err error) {
	one, token, err := p.newToken(n)
	if err != nil {
		return "", err
	}
	return token, p.editTokens(func(text []byte, entries []tokenEntry) ([]byte, error) {
		if slices.ContainsFunc(entries, func(e tokenEntry) bool { return e.Name == n.Name }) {
			return nil, fstore.Errorf(fstore.ErrConflict, "there is a token %s already", n.Name).WithHint("choose another name, or run: fstore token revoke %s", n.Name)
		}
		margin := ""
		if len(entries) > 0 {
			margin = strings.Repeat(" ", max(0, entries[0].pos.Col-3)) // of the dash before the first key
		}
		if len(text) > 0 && !bytes.HasSuffix(text, []byte("\n")) {
			text = append(text, '\n')
		}
		return append(text, entryText(one, margin)...), nil
	}, func(after, before []tokenEntry) bool {
		return len(after) == len(before)+1 && after[len(before)].Name == n.Name
	})
}

func (p *Project) newToken(n NewToken) (one access.Token, token string, err error) {
	token, digest := access.NewToken()
	one = access.Token{Name: n.Name, Digest: digest}
	if err := access.CheckTokenName(n.Name); err != nil {
		return one, "", asUsage("NAME: ", err)
	}
	if len(n.Grants) == 0 {
		return one, "", fstore.Errorf(fstore.ErrUsage, "the token would have no grants").WithHint("pass --grant online:read@%s", p.Settings.Project)
	}
	for _, text := range n.Grants {
		g, err := access.ParseGrant(text)
		if err != nil {
			return one, "", asUsage("--grant: ", err)
		}
		one.Grants = append(one.Grants, g)
	}
	if n.Expires != "" {
		d, err := fstore.ParseDuration(n.Expires)
		if err == nil && d == 0 {
			err = fstore.Errorf(fstore.ErrInvalid, "a token that is valid for 0 would expire at once").WithHint("such as 90d; leave out --expires for a token that never expires")
		}
		if err != nil {
			return one, "", asUsage("--expires: ", err)
		}
		one.Expires = p.options.Clock().Add(time.Duration(d)).UTC().Truncate(time.Second)
	}
	return one, token, nil
}

// asUsage turns an error about an argument into a usage error.
func asUsage(what string, err error) error {
	message, hints := fstore.Explain(err)
	return fstore.Errorf(fstore.ErrUsage, "%s%s", what, message).WithHint("%s", strings.Join(hints, "; "))
}

// RevokeToken removes an entry from the tokens file. Servers refuse its token as soon as they have read the file
// again, within seconds. It returns ErrNotFound if there is none.
func (p *Project) RevokeToken(name string) error {
	return p.editTokens(func(text []byte, entries []tokenEntry) ([]byte, error) {
		at := slices.IndexFunc(entries, func(e tokenEntry) bool { return e.Name == name })
		if at < 0 {
			names := make([]string, len(entries))
			for i, e := range entries {
				names[i] = e.Name
			}
			return nil, fstore.Errorf(fstore.ErrNotFound, "there is no token %q", name).WithHint("%s", orElse(fstore.DidYouMean(name, names), "run: fstore token list"))
		}
		lines := bytes.SplitAfter(text, []byte("\n"))
		first, end := dashLine(lines, entries[at].pos.Line-1), len(lines)
		if at+1 < len(entries) {
			end = dashLine(lines, entries[at+1].pos.Line-1)
		}
		for end > first+1 && isRemark(lines[end-1]) {
			end-- // it is about the next entry
		}
		return bytes.Join(slices.Delete(lines, first, end), nil), nil
	}, func(after, before []tokenEntry) bool {
		return len(after) == len(before)-1 && !slices.ContainsFunc(after, func(e tokenEntry) bool { return e.Name == name })
	})
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// dashLine returns the line on which the entry with a key in a line begins.
func dashLine(lines [][]byte, at int) int {
	for i := at; i >= 0; i-- {
		if bytes.HasPrefix(bytes.TrimLeft(lines[i], " "), []byte("-")) {
			return i
		}
	}
	return at
}

// isRemark reports whether a line is empty or a comment.
func isRemark(line []byte) bool {
	line = bytes.TrimSpace(line)
	return len(line) == 0 || line[0] == '#'
}

// Tokens returns the entries of the tokens file.
func (p *Project) Tokens() ([]Token, error) {
	path, err := p.tokensPath()
	if err != nil {
		return nil, err
	}
	text, err := readTokens(path)
	if err != nil {
		return nil, p.Settings.misfile("serve.auth.tokens", err)
	}
	entries, err := parseTokens(path, text)
	if err != nil {
		return nil, err
	}
	out := make([]Token, len(entries))
	for i, e := range entries {
		out[i] = Token{Name: e.Name, Certificate: e.Certificate}
		for _, g := range e.Grants {
			out[i].Grants = append(out[i].Grants, g.String())
		}
		if !e.Expires.IsZero() {
			out[i].Expires, out[i].Expired = fstore.FormatTime(e.Expires), !p.options.Clock().Before(e.Expires)
		}
	}
	return out, nil
}

func (p *Project) tokensPath() (string, error) {
	if p.Settings.Auth.Tokens == "" {
		return "", p.Settings.checks.misset("serve.auth.tokens", "there is no tokens file", "name one: --tokens .fstore/tokens.yaml, or the setting serve.auth.tokens")
	}
	return p.Settings.Auth.Tokens, nil
}

// readTokens reads a tokens file.
func readTokens(path string) ([]byte, error) {
	text, err := regular.ReadGuarded(path, maxTokensFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fstore.Errorf(fstore.ErrNotFound, "there is no tokens file %s", path).WithHint("create it with its first token: fstore token create")
	}
	if err != nil {
		return nil, regular.ReadError(path, err)
	}
	return text, nil
}

// editTokens replaces the tokens file by what change makes of it, if right finds the new entries to be what was meant.
// A server that reads the file at any time finds the old text or the new one.
func (p *Project) editTokens(change func([]byte, []tokenEntry) ([]byte, error), right func(after, before []tokenEntry) bool) error {
	path, err := p.tokensPath()
	if err != nil {
		return err
	}
	if to, err := filepath.EvalSymlinks(path); err == nil {
		path = to
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	next, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case errors.Is(err, fs.ErrExist):
		return fstore.Errorf(fstore.ErrConflict, "another fstore token is changing %s", path).WithHint("if none is running, one was killed: delete %s.new", path)
	case err != nil:
		return regular.ReadError(path+".new", err)
	}
	defer os.Remove(path + ".new") // it is gone once it was renamed
	text, err := changed(path, change, right)
	if err == nil {
		err = keepOwner(next, path)
	}
	if err != nil {
		return errors.Join(err, next.Close())
	}
	_, err = next.Write(text)
	if err = errors.Join(err, next.Sync(), next.Close()); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// keepOwner gives a file the owner and the mode of the file that it will replace, if there is one: the server must still
// be able to read it.
func keepOwner(next *os.File, path string) error {
	old, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	is, ok := old.Sys().(*syscall.Stat_t)
	if !ok {
		return nil // a system without such owners
	}
	if err := next.Chown(int(is.Uid), int(is.Gid)); err != nil {
		return fstore.Errorf(fstore.ErrInvalid, "%s belongs to user %d and group %d, and this user cannot write a file of theirs: nothing was changed", path, is.Uid, is.Gid).
			WithHint("run fstore token as user %d, such as by sudo -u '#%d' fstore token …", is.Uid, is.Uid)
	}
	return next.Chmod(old.Mode().Perm())
}

// changed returns the new text of a tokens file.
func changed(path string, change func([]byte, []tokenEntry) ([]byte, error), right func(after, before []tokenEntry) bool) ([]byte, error) {
	text, err := readTokens(path)
	if err != nil && !errors.Is(err, fstore.ErrNotFound) {
		return nil, err
	}
	before, err := parseTokens(path, text)
	if err != nil {
		return nil, err
	}
	text, err = change(text, before)
	if err != nil {
		return nil, err
	}
	after, err := parseTokens(path, text)
	if err != nil || !right(after, before) {
		return nil, fstore.Errorf(fstore.ErrInvalid, "%s is written in a way that fstore cannot edit", path).
			WithHint("begin each entry on a line of its own with a dash, or edit the file by hand")
	}
	return text, nil
}
