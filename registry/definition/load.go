package definition

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/regular"
)

// Repo holds the definitions of a feature repo as written, with their positions.
type Repo struct {
	Dir      string
	Entities []EntitySpec
	Sources  []SourceSpec
	Views    []FeatureViewSpec
	OnDemand []OnDemandViewSpec
	Services []FeatureServiceSpec

	// Problems lists the mistakes that the loader found. Check reports them together with its own.
	Problems Problems

	sql    map[string]string      // text of the SQL files that views name, by path in the repo
	yaml   map[string]*sourceText // files with on-demand views, by path in the repo
	lookup func(string) (string, bool)
}

// settings is the name of a repo's settings file, which has no definitions. A folder with this file is a repo.
const settings = "fstore.yaml"

// others are names of files that DVC reads, and keeps beside what they are about.
var others = []string{"dvc.yaml", "params.yaml"}

// Load reads every *.yaml and *.yml file under dir except fstore.yaml and the files of DVC, and the SQL files that they name.
// It skips hidden folders, links to folders, and nested repos. It replaces ${VAR} in values by lookup, except in the path of a
// source. It returns an error if dir cannot be read. Mistakes in the files are in Problems.
func Load(dir string, lookup func(string) (string, bool)) (*Repo, error) {
	repo := &Repo{Dir: dir, sql: map[string]string{}, yaml: map[string]*sourceText{}, lookup: lookup}
	root := regular.DirFS(dir)
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil && name == ".":
			return err
		case err != nil:
			repo.Problems = append(repo.Problems, *unreadable(name, err))
			return nil
		case entry.IsDir():
			return skipDir(root, name)
		case !isYAML(name) || path.Base(name) == settings || slices.Contains(others, path.Base(name)) || strings.HasPrefix(path.Base(name), "."):
			return nil
		}
		content, problem := ReadText(root, name)
		if problem != nil {
			repo.Problems = append(repo.Problems, *problem)
			return nil
		}
		repo.loadFile(name, content, lookup)
		return nil
	})
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fstore.Errorf(fstore.ErrNotFound, "load definitions: %s", err)
		}
		return nil, fstore.Errorf(fstore.ErrInvalid, "load definitions: %s", err)
	}
	repo.loadSQL(root)
	return repo, nil
}

func isYAML(name string) bool {
	ext := strings.ToLower(path.Ext(name))
	return ext == ".yaml" || ext == ".yml"
}

func skipDir(root fs.FS, name string) error {
	if name == "." {
		return nil
	}
	if strings.HasPrefix(path.Base(name), ".") {
		return fs.SkipDir
	}
	if _, err := fs.Stat(root, path.Join(name, settings)); err == nil {
		return fs.SkipDir
	}
	return nil
}

// loadFile decodes the documents of one file.
func (r *Repo) loadFile(name string, content []byte, lookup func(string) (string, bool)) {
	file, problem := ParseYAML(name, content)
	if problem != nil {
		r.Problems = append(r.Problems, *problem)
		return
	}
	d := &decoder{file: name, lookup: lookup, problems: &r.Problems}
	found := false
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.NullType || doc.Body.Type() == ast.CommentType {
			continue
		}
		found = true
		r.document(d, doc.Body)
	}
	if bytes.Contains(content, []byte("on_demand_view")) {
		r.yaml[name] = newSourceText(string(content))
	}
	if !found {
		hint := "remove the file, or give it a document with a kind"
		if bytes.Contains(content, []byte("# kind: ")) {
			hint = "write a first definition, or uncomment one"
		}
		r.Problems.add(fstore.Pos{File: name}, hint, "no definition in the file")
	}
}

var kinds = []string{"entity", "source", "feature_view", "on_demand_view", "feature_service"}

// document decodes one definition by its kind.
func (r *Repo) document(d *decoder, body ast.Node) {
	at := d.pos(body)
	m, ok := body.(ast.MapNode)
	if !ok {
		d.problems.add(at, "every document has a kind: "+strings.Join(kinds, ", "), "a definition must be a mapping, not %s", describe(body))
		return
	}
	kind := Text{}
	for it := m.MapRange(); it.Next(); {
		if keyText(it.Key()) == "kind" {
			d.value(it.Value(), reflect.ValueOf(&kind).Elem(), key{name: "kind"})
			if kind.Value == "" {
				return // reported
			}
		}
	}
	switch kind.Value {
	case "entity":
		r.Entities = append(r.Entities, decode[EntitySpec](d, body))
	case "source":
		r.Sources = append(r.Sources, decode[SourceSpec](d, body))
	case "feature_view":
		r.Views = append(r.Views, decode[FeatureViewSpec](d, body))
	case "on_demand_view":
		r.OnDemand = append(r.OnDemand, decode[OnDemandViewSpec](d, body))
	case "feature_service":
		r.Services = append(r.Services, decode[FeatureServiceSpec](d, body))
	case "":
		d.problems.add(at, "kind: "+strings.Join(kinds, ", "), "the document has no kind")
	default:
		d.problems.add(kind.Pos, fstore.DidYouMean(kind.Value, kinds), "unknown kind %q", kind.Value)
	}
}

func decode[T any](d *decoder, body ast.Node) T {
	var spec T
	d.mapping(body, reflect.ValueOf(&spec).Elem())
	return spec
}

// loadSQL reads the SQL files that views and expectations name, relative to the file of the definition.
func (r *Repo) loadSQL(root fs.FS) {
	for i := range r.Sources {
		r.loadChecks(root, r.Sources[i].Name.Value, r.Sources[i].Expect)
	}
	for i := range r.Views {
		r.loadSQLFile(root, r.Views[i].Name.Value, &r.Views[i].SQL)
		r.loadChecks(root, r.Views[i].Name.Value, r.Views[i].Expect)
	}
}

func (r *Repo) loadChecks(root fs.FS, of string, expect []ExpectSpec) {
	for i := range expect {
		r.loadSQLFile(root, of+"_bad_rows", &expect[i].SQL)
	}
}

// loadSQLFile reads the file that a definition names. A text that names none is left without a value.
func (r *Repo) loadSQLFile(root fs.FS, example string, sql *Text) {
	if !sql.given() || sql.Value == "" {
		return
	}
	name := path.Join(path.Dir(sql.Pos.File), filepath.ToSlash(sql.Value))
	if path.Ext(name) != ".sql" || !fs.ValidPath(name) || path.IsAbs(sql.Value) {
		r.Problems.add(sql.Pos, "sql: "+exampleSQL(example), "sql must name a .sql file in the repo, relative to this file, not %q", firstLine(sql.Value))
		*sql = Text{Pos: sql.Pos}
		return
	}
	content, problem := ReadText(root, name)
	if problem != nil {
		if problem.Pos.Line == 0 { // the file cannot be read at all, so the position is that of the definition
			problem = &Problem{Pos: sql.Pos, Message: name + " " + problem.Message, Hint: fstore.DidYouMean(path.Base(name), sqlFiles(root, name))}
		}
		r.Problems = append(r.Problems, *problem)
		*sql = Text{Pos: sql.Pos}
		return
	}
	sql.Value = name
	r.sql[name] = string(content)
}

func exampleSQL(view string) string {
	if fstore.CheckName(view) != nil {
		view = "my_view"
	}
	return view + ".sql"
}

// sqlFiles returns the names of the SQL files in the folder of a missing one.
func sqlFiles(root fs.FS, missing string) []string {
	names, _ := fs.Glob(root, path.Join(path.Dir(missing), "*.sql")) // only for a suggestion
	names = slices.DeleteFunc(names, func(n string) bool { return n == missing })
	for i, n := range names {
		names[i] = path.Base(n)
	}
	return names
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return strings.TrimSpace(line)
}
