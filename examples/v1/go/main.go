// Calls a function of a Mini Share Point server and prints its answer: go run . URL FUNCTION
//
// Reads client.key, client.secret and server.pub in the working folder.
package main

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math/big"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/nacl/box"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "msp-client:", err)
		os.Exit(1)
	}
}

var errNotOpened = errors.New("the answer does not open under these keys")

func read(name string) string {
	text, err := os.ReadFile(name)
	check(err)
	return strings.TrimSpace(string(text))
}

func readKey(name string) *[32]byte {
	decoded, err := base64.StdEncoding.DecodeString(read(name))
	if err != nil || len(decoded) != 32 {
		check(fmt.Errorf("cannot use %s: expected 44 base64 characters", name))
	}
	return (*[32]byte)(decoded)
}

// session is one call: its shared key, and the nonces of its request.
type session struct {
	shared [32]byte
	nonces [][24]byte
}

// seal puts a fresh random nonce in front of the box.
func (s *session) seal(plain []byte) string {
	var nonce [24]byte
	_, err := rand.Read(nonce[:])
	check(err)
	s.nonces = append(s.nonces, nonce)
	return base64.URLEncoding.EncodeToString(box.SealAfterPrecomputation(nonce[:], plain, &nonce, &s.shared))
}

func (s *session) open(text string) (string, error) {
	sealed, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil || len(sealed) < 24 {
		return "", errNotOpened
	}
	nonce := *(*[24]byte)(sealed)
	// Box keys are symmetric: without this check, somebody in between could return one of the
	// request's own values, such as the secret, as the answer.
	for _, own := range s.nonces {
		if own == nonce {
			return "", errors.New("the answer is one of the request's own values")
		}
	}
	plain, ok := box.OpenAfterPrecomputation(nil, sealed[24:], &nonce, &s.shared)
	if !ok {
		return "", errNotOpened
	}
	return string(plain), nil
}

// number is unsigned, big-endian, without leading zeros.
func number(value int64) []byte {
	return big.NewInt(value).Bytes()
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: msp-client URL FUNCTION")
		os.Exit(2)
	}
	var s session
	box.Precompute(&s.shared, readKey("server.pub"), readKey("client.key"))
	secret := []byte(read("client.secret"))
	body, err := json.Marshal(map[string]string{
		"id":    s.seal(secret),
		"check": s.seal(number(int64(crc32.ChecksumIEEE(secret)))),
		"ts":    s.seal(number(time.Now().Unix())),
		"entry": s.seal([]byte(os.Args[2])),
	})
	check(err)
	client := http.Client{
		Timeout: 30 * time.Second,
		// A redirect turns a POST into a GET; the server itself never redirects.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Post(os.Args[1], "application/json", bytes.NewReader(body))
	check(err)
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		check(fmt.Errorf("refused: status %d", response.StatusCode))
	}
	var answer struct{ Value string }
	if json.NewDecoder(response.Body).Decode(&answer) != nil {
		check(errNotOpened)
	}
	text, err := s.open(answer.Value)
	check(err)
	fmt.Println(text)
}
