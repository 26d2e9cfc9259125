// Renders a Helm chart as "helm template" does, with the same libraries; for tests, as Debian has no
// Helm. It knows of Helm what our chart uses.
//
//	render CHART RELEASE <VALUES
//
// VALUES (YAML) go over those of the chart. Prints the manifests, in the order of their files.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"gopkg.in/yaml.v3"
)

type values = map[string]interface{}

type files struct{ folder string }

// Get is .Files.Get: nothing for a file that isn't there.
func (f files) Get(name string) string {
	content, err := os.ReadFile(filepath.Join(f.folder, name))
	if err != nil {
		return ""
	}
	return string(content)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "render:", err)
		os.Exit(1)
	}
}

// Helm reads YAML by way of JSON, whose numbers are all of one type.
func parse(text []byte) values {
	var read, result values
	check(yaml.Unmarshal(text, &read))
	asJSON, err := json.Marshal(read)
	check(err)
	check(json.Unmarshal(asJSON, &result))
	return result
}

func merge(base, over values) values {
	if base == nil {
		base = values{}
	}
	for key, value := range over {
		inner, isMap := value.(values)
		before, wasMap := base[key].(values)
		switch {
		case isMap && wasMap:
			base[key] = merge(before, inner)
		case value == nil:
			delete(base, key)
		default:
			base[key] = value
		}
	}
	return base
}

func functions(root *template.Template) template.FuncMap {
	known := sprig.TxtFuncMap()
	delete(known, "env")
	delete(known, "expandenv")
	known["include"] = func(name string, data interface{}) (string, error) {
		var out bytes.Buffer
		err := root.ExecuteTemplate(&out, name, data)
		return out.String(), err
	}
	known["toYaml"] = func(value interface{}) (string, error) {
		text, err := yaml.Marshal(value)
		return strings.TrimSuffix(string(text), "\n"), err
	}
	known["required"] = func(message string, value interface{}) (interface{}, error) {
		if value == nil || value == "" {
			return nil, errors.New(message)
		}
		return value, nil
	}
	return known
}

func main() {
	chart := os.Args[1]
	read := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join(chart, name))
		check(err)
		return text
	}
	over, err := io.ReadAll(os.Stdin)
	check(err)
	about := values{}
	for key, value := range parse(read("Chart.yaml")) {
		about[strings.ToUpper(key[:1])+key[1:]] = value
	}
	data := values{
		"Chart":   about,
		"Release": values{"Name": os.Args[2], "Namespace": "default", "Service": "Helm"},
		"Values":  merge(parse(read("values.yaml")), parse(over)),
		"Files":   files{chart},
	}
	root := template.New("").Option("missingkey=zero")
	root.Funcs(functions(root))
	names, err := filepath.Glob(filepath.Join(chart, "templates", "*"))
	check(err)
	sort.Strings(names)
	for _, name := range names {
		text, err := os.ReadFile(name)
		check(err)
		_, err = root.New(filepath.Base(name)).Parse(string(text))
		check(err)
	}
	for _, name := range names {
		var out bytes.Buffer
		check(root.ExecuteTemplate(&out, filepath.Base(name), data))
		if filepath.Ext(name) == ".yaml" && strings.TrimSpace(out.String()) != "" {
			fmt.Printf("---\n# Source: %s\n%s\n", filepath.Base(name), out.String())
		}
	}
}
