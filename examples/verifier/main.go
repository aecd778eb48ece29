// Command verifier holds a published audit log, and receipts of it, to what its key has signed. It shares no code with what writes
// them: the notes and the tree are those of Go's checksum database (golang.org/x/mod/sumdb).
//
//	verifier FOLDER KEYS [RECEIPT...]
//
// FOLDER is what the log was published to, KEYS a file of public keys, one a line. Cosignatures are not looked at.
package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// height is the one of tlog-tiles: 256 hashes.
const height = 8

// signatureEd25519 is the type of a log's own signatures; witnesses' have another one, which the package does not know.
const signatureEd25519 = 1

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: verifier FOLDER KEYS [RECEIPT...]")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, "verifier:", err)
		os.Exit(1)
	}
}

func run(folder, keys string, receipts []string) error {
	known, err := verifiers(keys)
	if err != nil {
		return err
	}
	all, err := os.ReadFile(filepath.Join(folder, "checkpoints"))
	if err != nil {
		return err
	}
	var before *checkpoint
	count := 0
	for rest := all; len(rest) > 0; {
		text, behind, ok := cutNote(rest)
		if !ok {
			break
		}
		rest = behind
		head, err := open(text, known)
		if err != nil {
			return fmt.Errorf("checkpoint %d: %w", count+1, err)
		}
		if before != nil {
			if err := continues(folder, before.tree, head.tree); err != nil {
				return fmt.Errorf("checkpoint %d of %d entries does not continue the one before: %w", count+1, head.tree.N, err)
			}
		}
		before = head
		count++
	}
	if before == nil {
		return fmt.Errorf("%s: nothing was published", folder)
	}
	last, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	if err != nil {
		return err
	}
	head, err := open(last, known)
	if err != nil {
		return err
	}
	if head.tree != before.tree {
		return fmt.Errorf("the checkpoint is not the last of the checkpoints")
	}
	// Reads each leaf's hash, and with it each tile.
	reader := tlog.TileHashReader(head.tree, tiles(folder))
	for first := int64(0); first < head.tree.N; first += 1 << height {
		var wanted []int64
		for index := first; index < head.tree.N && index < first+1<<height; index++ {
			wanted = append(wanted, tlog.StoredHashIndex(0, index))
		}
		if _, err := reader.ReadHashes(wanted); err != nil {
			return err
		}
	}
	for _, name := range receipts {
		if err := receipt(name, known); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	fmt.Printf("%s: %d entries, %d checkpoints, %d receipts\n", head.origin, head.tree.N, count, len(receipts))
	return nil
}

// cutNote cuts off the first of notes that stand one behind the other with an empty line between them.
func cutNote(notes []byte) (first, rest []byte, ok bool) {
	text := bytes.Index(notes, []byte("\n\n"))
	if text < 0 {
		return nil, nil, false
	}
	end := bytes.Index(notes[text+2:], []byte("\n\n"))
	if end < 0 {
		return nil, nil, false
	}
	end += text + 3
	return notes[:end], notes[end+1:], true
}

func verifiers(name string) (note.Verifiers, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var known []note.Verifier
	for _, line := range strings.Fields(string(text)) {
		parts := strings.SplitN(line, "+", 3)
		if len(parts) == 3 {
			if key, err := base64.StdEncoding.DecodeString(parts[2]); err == nil && len(key) > 0 && key[0] != signatureEd25519 {
				continue
			}
		}
		verifier, err := note.NewVerifier(line)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		known = append(known, verifier)
	}
	return note.VerifierList(known...), nil
}

type checkpoint struct {
	origin string
	tree   tlog.Tree
}

func open(text []byte, known note.Verifiers) (*checkpoint, error) {
	signed, err := note.Open(text, known)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(signed.Text, "\n")
	if len(lines) < 4 {
		return nil, fmt.Errorf("not a checkpoint")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return nil, err
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return nil, err
	}
	for _, signature := range signed.Sigs {
		if signature.Name == lines[0] {
			return &checkpoint{lines[0], tlog.Tree{N: size, Hash: root}}, nil
		}
	}
	return nil, fmt.Errorf("not signed by %s", lines[0])
}

func continues(folder string, before, after tlog.Tree) error {
	reader := tlog.TileHashReader(after, tiles(folder))
	proof, err := tlog.ProveTree(after.N, before.N, reader)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, after.N, after.Hash, before.N, before.Hash)
}

// receipt checks a tlog-proof whose extra data are the entry.
func receipt(name string, known note.Verifiers) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	head, signed, ok := bytes.Cut(text, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !ok || len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return fmt.Errorf("not a receipt")
	}
	entry, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	if err != nil {
		return err
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	if err != nil {
		return err
	}
	var proof tlog.RecordProof
	for _, line := range lines[3:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return err
		}
		proof = append(proof, hash)
	}
	of, err := open(signed, known)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(proof, of.tree.N, of.tree.Hash, index, tlog.RecordHash(entry))
}

// tiles reads the tiles of a folder.
type tiles string

func (folder tiles) Height() int { return height }

func (folder tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (folder tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var read [][]byte
	for _, tile := range wanted {
		full := tile
		full.W = 1 << height
		// A full tile has what its parts had.
		hashes, err := os.ReadFile(folder.path(full))
		if err != nil && tile.W < 1<<height {
			hashes, err = os.ReadFile(folder.path(tile))
		}
		if err != nil {
			return nil, err
		}
		if len(hashes) < tile.W*tlog.HashSize {
			return nil, fmt.Errorf("%s is too short", folder.path(tile))
		}
		read = append(read, hashes[:tile.W*tlog.HashSize])
	}
	return read, nil
}

// path is the one of tlog-tiles: that of the package without its height.
func (folder tiles) path(tile tlog.Tile) string {
	path := strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", height))
	return filepath.Join(string(folder), "tile", filepath.FromSlash(path))
}
