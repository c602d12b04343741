// Package github shows a feature repo on GitHub: mistakes as annotations of the lines that have them, and a plan as a
// comment on a pull request. Names, paths and SQL come from whoever opened the pull request, so no text of theirs may
// become a command, a mention, a link or a part of the page.
package github

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/definition"
)

// Annotations writes problems as workflow commands, which a runner of GitHub Actions turns into annotations.
type Annotations struct {
	// Repo is the folder of the feature repo: positions are relative to it. Empty means that it is not known.
	Repo string
	// Root is the root of the Git work tree: GitHub wants paths relative to it.
	Root string
}

// NewAnnotations returns the annotations of a feature repo. The root is the nearest folder with .git at or above repo,
// else the folder that GITHUB_WORKSPACE names, else repo itself.
func NewAnnotations(repo string, lookup func(string) (string, bool)) Annotations {
	repo = resolved(repo)
	for dir := repo; dir != ""; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return Annotations{repo, dir}
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	root := repo
	if workspace, _ := lookup("GITHUB_WORKSPACE"); workspace != "" {
		root = resolved(workspace)
	}
	return Annotations{repo, root}
}

// resolved follows symbolic links, so that two names of one folder are equal.
func resolved(dir string) string {
	if followed, err := filepath.EvalSymlinks(dir); err == nil && dir != "" {
		return followed
	}
	return dir
}

// A Level says how bad a problem is.
type Level string

// The levels.
const (
	Error   Level = "error"
	Warning Level = "warning"
)

// Command returns the line of a problem. The message begins with the position, because the log of a job does not show it.
func (a Annotations) Command(level Level, p definition.Problem) string {
	var properties []string
	at := p.Pos
	if file, ok := a.inTree(at.File); ok {
		at.File = file
		properties = append(properties, "file="+property(file))
		if at.Line > 0 {
			properties = append(properties, fmt.Sprintf("line=%d", at.Line))
		}
		if at.Line > 0 && at.Col > 0 {
			properties = append(properties, fmt.Sprintf("col=%d", at.Col))
		}
	}
	properties = append(properties, "title=fstore")
	message := p.Message
	if at.File != "" {
		message = at.String() + ": " + message
	}
	if p.Hint != "" {
		message += "\nhint: " + p.Hint
	}
	return fmt.Sprintf("::%s %s::%s\n", level, strings.Join(properties, ","), data(message))
}

// inTree returns a path relative to the root of the work tree, with slashes. A file outside the tree has none.
func (a Annotations) inTree(file string) (string, bool) {
	if file == "" || a.Repo == "" {
		return "", false
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(a.Repo, filepath.FromSlash(file))
	}
	relative, err := filepath.Rel(a.Root, file)
	if err != nil || !filepath.IsLocal(relative) {
		return "", false
	}
	return filepath.ToSlash(relative), true
}

// The characters that a runner unescapes in the message and in the properties of a command.
var (
	dataEscapes     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	propertyEscapes = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

func data(s string) string     { return dataEscapes.Replace(s) }
func property(s string) string { return propertyEscapes.Replace(s) }

// ProblemsOf returns what an error says, one problem for each thing that is wrong.
func ProblemsOf(err error) []definition.Problem {
	var problems definition.Problems
	if errors.As(err, &problems) {
		return problems
	}
	var out []definition.Problem
	for _, one := range fstore.Separate(err) {
		message, hints := fstore.Explain(one)
		p := definition.Problem{Message: message, Hint: strings.Join(hints, "\n")}
		var placed *fstore.Error
		if errors.As(one, &placed) && placed.Pos != (fstore.Pos{}) {
			p.Pos, p.Message = placed.Pos, strings.TrimPrefix(message, placed.Pos.String()+": ")
		}
		out = append(out, p)
	}
	return out
}
