from __future__ import annotations

import json
import string
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.redact import MASK, redact

# Put together here, so that no scanner takes this file for a leak.
TOKENS = {
    "aws": "AKIA" + "IOSFODNN7ABCDEFG",
    "github": "ghp_" + "a1B2c3D4e5" * 4,
    "github fine-grained": "github_pat_" + "11ABCDEFG0" + "a1B2c3D4e5" * 5,
    "gitlab": "glpat-" + "a1B2-c3D4_e5F6g7H8i9",
    "slack": "xoxb-" + "123456789012-abcDEF123",
    "slack app": "xapp-" + "1-A012-345-abcdef",
    "openai": "sk-proj-" + "a1B2c3D4e5_-" * 6,
    "anthropic": "sk-ant-api03-" + "a1B2c3D4e5-_" * 7,
    "google": "AIza" + "SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q",
    "google oauth": "ya29." + "a0AfH6SMBa1B2c3D4e5F6g7H8",
    "npm": "npm_" + "a1B2c3D4e5F6" * 3,
    "pypi": "pypi-" + "AgEIcHlwaS5vcmcC" * 5,
    "stripe": "sk_live_" + "a1B2c3D4e5F6g7H8",
    "jwt": ".".join(("eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiIxMjM0In0", "s5rW8xJ-abc_DEF")),
    "unsigned jwt": ".".join(("eyJhbGciOiJub25lIn0", "eyJzdWIiOiIxMjM0In0", "")),
}


def plain(text: str) -> str:
    """Redacted with nothing secret in the environment."""
    return redact(text, {})


@pytest.mark.parametrize("token", TOKENS.values(), ids=list(TOKENS))
@pytest.mark.parametrize(
    "around", ["{}", "before {} after", "x = call('{}', 1)", "https://host/{}?q=1", "[{}]", "\t{}\n"]
)
def test_tokens_of_well_known_shape_are_masked_anywhere(token: str, around: str) -> None:
    assert plain(around.format(token)) == around.format(MASK)


@pytest.mark.parametrize(
    "text",
    [
        "task-with-a-long-name-and-2-digits",
        "sk-ecdsa-sha2-nistp256@openssh.com",
        "sk-fading-circle-in-a-style-sheet",
        "AKIA is how keys begin",
        "MAKIAIOSFODNN7ABCDEFGH",
        "ghp_short",
        "eyJ is a prefix of eyJ",
        "npm_config_cache",
        "3e1d2c4b5a69788796a5b4c3d2e1f00112233445",
    ],
)
def test_what_only_begins_like_a_token_stays(text: str) -> None:
    assert plain(text) == text


class TestPrivateKeys:
    LINES = ("MIIEowIBAAKCAQEAa1B2c3D4e5F6g7H8i9J0" * 2 + "\n") * 5

    @pytest.mark.parametrize("kind", ["PRIVATE KEY", "RSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK"])
    def test_block_is_masked_and_its_lines_stay_counted(self, kind: str) -> None:
        text = f"before\n-----BEGIN {kind}-----\nVersion: 1\n\n{self.LINES}-----END {kind}-----\nafter\n"
        assert plain(text) == f"before\n{MASK}" + "\n" * 8 + "\nafter\n"

    def test_block_in_a_json_string_is_masked(self) -> None:
        text = json.dumps({"key": f"-----BEGIN PRIVATE KEY-----\n{self.LINES}-----END PRIVATE KEY-----\n", "other": 1})
        assert plain(text) == json.dumps({"key": f"{MASK}\n", "other": 1})

    def test_block_cut_off_is_masked_as_far_as_it_goes(self) -> None:
        assert plain(f"-----BEGIN PRIVATE KEY-----\n{self.LINES}# done") == MASK + "\n" * 5 + "\n# done"

    def test_block_in_a_diff_is_masked(self) -> None:
        block = f"-----BEGIN PRIVATE KEY-----\n{self.LINES * 50}-----END PRIVATE KEY-----\n"
        removed = "".join(f"-{line}" for line in block.splitlines(keepends=True))
        assert plain(f"{removed}+none\n") == f"-{MASK}" + "\n" * 252 + "+none\n"

    def test_code_that_looks_for_keys_stays(self) -> None:
        code = 'if "-----BEGIN RSA PRIVATE KEY-----" in text and "-----END RSA PRIVATE KEY-----" in text:\n    pass\n'
        assert plain(code) == code

    def test_public_keys_stay(self) -> None:
        text = f"-----BEGIN PUBLIC KEY-----\n{self.LINES}-----END PUBLIC KEY-----\n"
        assert plain(text) == text


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("git clone https://ada:hunter2@example.com/x", "git clone https://ada:***@example.com/x"),
        ("postgres://ada:p%40ss@db:5432/x", "postgres://ada:***@db:5432/x"),
        ("redis://:hunter2@cache", "redis://:***@cache"),
        ("https://0a1b2c3d4e5f60718293a4b5c6d7e8f9@sentry.example.com/1", "https://***@sentry.example.com/1"),
        ("curl -s -u ada:hunter2 https://example.com", "curl -s -u ada:*** https://example.com"),
        ("Authorization: Bearer abcdefgh", "Authorization: Bearer ***"),
        ("authorization: basic YWRhOmh1bnRlcjI=", "authorization: basic ***"),
        ('{"Authorization": "Bearer abc.def-123"}', '{"Authorization": "Bearer ***"}'),
        ("headers['Authorization'] = 'token abcdef123'", "headers['Authorization'] = 'token ***'"),
        ('curl -H "Authorization: Bearer abc123def" x', 'curl -H "Authorization: Bearer ***" x'),
        ("sent Bearer a1b2c3d4e5f6g7h8 to it", "sent Bearer *** to it"),
    ],
)
def test_credentials_in_urls_and_headers_are_masked(text: str, masked: str) -> None:
    assert plain(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com:8080/a@b",
        "git+ssh://git@github.com/a/b",
        'f"postgres://{user}:{password}@{host}/{name}"',
        "postgres://${DB_USER}:${DB_PASSWORD}@db/x",
        "https://user:password@example.com",
        'headers = {"Authorization": f"Bearer {token}"}',
        'headers["Authorization"] = "Bearer " + token',
        "the Authorization header: see RFC 9110",
        "Bearer authentication is described below",
        "docker run -u 1000:1000 image",
    ],
)
def test_urls_and_headers_without_credentials_stay(text: str) -> None:
    assert plain(text) == text


@pytest.mark.parametrize(
    "text",
    [
        'password = "{}"',
        "password='{}'",
        'self.db_password: str = "{}"',
        'DB_PASSWORD_PROD="{}"',
        'connect(user="ada", password="{}", port=1)',
        "connect(password=b'{}')",
        '{{"password": "{}", "n": 1}}',
        "{{'password':'{}'}}",
        '{{\\"password\\": \\"{}\\"}}',
        'config["secret_key"] = "{}"',
        "SECRET_KEY_BASE = '{}'",
        'const apiKey = "{}";',
        "clientSecret: `{}`,",
        'token := "{}"',
        '"accessToken" => "{}"',
        "password: {}",
        "    password: {}  # local",
        "api_key: {}",
        "password={}",
        "export API_TOKEN={}",
        "- MYSQL_ROOT_PASSWORD={}",
        "ENV SECRET_TOKEN={}",
        "aws_secret_access_key = {}",
        "//registry/:_authToken={}",
        "tool --password={} --verbose",
        "tool --password {} --verbose",
        "GET /login?user=ada&password={}&x=1",
        "Server=db;Password={};Timeout=3",
        "<password>{}</password>",
        "don't tell: password = '{}'",
        "senha={}",
        "DB_SENHA: {}",
    ],
)
@pytest.mark.parametrize("secret", ["s3cr3tv4lu3", "Tr0ub4dor+3", "9f86d081884c7d659a2feaa0c55ad015"])
def test_literal_values_given_to_a_secrets_name_are_masked(text: str, secret: str) -> None:
    assert plain(text.format(secret)) == text.format(MASK)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("sqlplus scott/tiger@orcl @load.sql", "sqlplus scott/***@orcl @load.sql"),
        ("+ sqlplus -s batch/t1ger", "+ sqlplus -s batch/***"),
        ("sqlldr userid=batch/t1ger@ORCL control=a.ctl", "sqlldr userid=batch/***@ORCL control=a.ctl"),
        ("rman target sys/s3cret@prod", "rman target sys/***@prod"),
        ("sqlplus / as sysdba", "sqlplus / as sysdba"),
        ("sqlplus $USER/$PASSWORD@orcl", "sqlplus $USER/$PASSWORD@orcl"),
        ("sqlplus /nolog @load.sql", "sqlplus /nolog @load.sql"),
        ("run sqlplus scripts/load/a.sql", "run sqlplus scripts/load/a.sql"),
    ],
)
def test_passwords_on_the_command_line_of_oracles_programs_are_masked(text: str, masked: str) -> None:
    assert plain(text) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ('password = "correct horse battery staple"', 'password = "***"'),
        ('password = "quote \\" inside 1"', 'password = "***"'),
        ("password: letmein", "password: ***"),
        ("PASSWORD=letmein", "PASSWORD=***"),
        ("password: 123456", "password: ***"),
        ("secret: p@ss!", "secret: ***"),
        ('password = "cut off by the end', 'password = "***'),
        ('password = "' + "a1" * 5000 + '"', 'password = "***"'),
        ("TOKEN=" + "a1" * 5000 + " next", "TOKEN=*** next"),
        ('password = "' + "a1\\n" * 50_000 + '" + x', 'password = "***" + x'),
        ("password = '" + "a1\\'" * 50_000 + "' + x", "password = '***' + x"),
        ('{"password": "a1b2c3", "token": "d4e5f6"}', '{"password": "***", "token": "***"}'),
        ('secret = f"abcdef012345{suffix}"', 'secret = f"***"'),
    ],
)
def test_weak_long_and_cut_off_values_are_masked_too(text: str, masked: str) -> None:
    assert plain(text) == masked


@pytest.mark.parametrize(
    "code",
    [
        "token = get_token()",
        "token = await get_token()",
        "password: str",
        "password: str = field(repr=False)",
        "password: SecretStr | None = None",
        "def login(user: str, password: str, token: bytes | None = None) -> None:",
        "login(user, password=password, token=self.token)",
        "password = settings.password",
        "password = config['password']",
        "token = tokens[0]",
        "token = next_token1",
        "token = token2",
        "secret = None",
        'password = ""',
        "password = os.environ['DB_PASSWORD']",
        'password = os.environ.get("DB_PASSWORD")',
        "password = ${DB_PASSWORD}",
        "password: ${{ secrets.PASSWORD }}",
        'password = "{{ vault_password }}"',
        'password="%(password)s"',
        "--password=<password>",
        "  --password TEXT  Password of the user  [env: PASSWORD]",
        "max_tokens = 4096",
        'tokenizer = "bert-base-1234"',
        'token_type = "bearer-1234"',
        'token = "identifier"',
        'token = "("',
        "if token == 'abc123' or token != 'def456':",
        'password = input("Password: ")',
        'print("password: ", hint="x1y2z3")',
        'label = "Enter your password: "',
        'password_label = "Enter your password"',
        '"password": "Your password must have 8 characters"',
        '"type": "password"',
        "private_key: ~/.ssh/id_ed25519",
        'credentials = "/etc/app/credentials1.json"',
        "PWD=/home/ada/project2",
        "pwd = os.getcwd()",
        "arn:aws:secretsmanager:*:*:secret:name-1234",
        '"AWS::IAM::AccessKey": "72c2d9dd90025459"',
        "token: int32 = 0x1F00",
        "secrets.token_hex(16)",
        "password:",
        "password:\n  next: abc123",
        "the token expired after 3600 seconds",
        "class Token: ...",
        "auth = HTTPBasicAuth(user, password1)",
        "key = lambda token: token.key",
    ],
)
def test_code_that_handles_secrets_stays(code: str) -> None:
    assert plain(code) == code


class TestEnvironment:
    def test_value_under_a_secrets_name_is_masked_anywhere(self) -> None:
        environment = {"DEPLOY_TOKEN": "qwerty-17", "HOME": "/home/ada"}
        assert redact("it said qwerty-17!\n/home/ada", environment) == "it said ***!\n/home/ada"

    @pytest.mark.parametrize("name", ["DB_PASSWORD", "OPENAI_API_KEY", "MY_KEY", "AWS_SECRET_ACCESS_KEY", "npm_token"])
    def test_names_of_many_kinds_are_seen(self, name: str) -> None:
        assert redact("x hunter22 x", {name: "hunter22"}) == "x *** x"

    def test_callers_environment_is_the_default(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SOME_SECRET", "qwerty-17")
        assert redact("qwerty-17") == MASK

    def test_value_as_it_stands_in_a_url_is_masked(self) -> None:
        assert redact("?q=p%40ss%2Fw0rd&", {"PASSWORD": "p@ss/w0rd"}) == "?q=***&"

    def test_password_in_a_variables_url_is_masked(self) -> None:
        environment = {"DATABASE_URL": "postgres://ada:hunter22@db/x"}
        assert redact("no access for ada with hunter22", environment) == "no access for ada with ***"

    def test_longer_value_wins_over_one_that_it_contains(self) -> None:
        assert redact("abc123-def456", {"A_TOKEN": "abc123", "B_TOKEN": "abc123-def456"}) == MASK

    @pytest.mark.parametrize("value", ["", "1", "true", "postgres", "disabled", "12345", "/run/secrets/db1", "x1"])
    def test_values_that_any_text_may_contain_are_left_alone(self, value: str) -> None:
        text = f"postgres is disabled 12345 true /run/secrets/db1 x1 {value}"
        assert redact(text, {"DB_PASSWORD": value}) == text


SECRETS = st.from_regex(r"[a-zA-Z0-9+]{4,8}[0-9][a-zA-Z][0-9][a-zA-Z0-9+]{4,30}", fullmatch=True)
TEMPLATES = st.sampled_from(
    [
        'password = "{}"',
        "export PASSWORD={}\n",
        '{{"token": "{}"}}',
        "https://ada:{}@host/",
        "Authorization: Bearer {}",
        "secret: '{}'",
        "--api-key={}",
    ]
)
ALPHABET = string.ascii_letters + string.digits + " \n\t\"'=:@/._-+*{}[]()<>,;\\é"
PIECES = st.sampled_from(
    [*TOKENS.values(), "password", "token=", "secret: ", "://", "Bearer ", "-----BEGIN PRIVATE KEY-----\n"]
)
TEXTS = st.lists(st.text(ALPHABET, max_size=20) | PIECES, max_size=12).map("".join)


@given(secret=SECRETS, template=TEMPLATES, before=st.text(ALPHABET), after=st.text(ALPHABET))
def test_no_secret_survives_whatever_stands_around_it(secret: str, template: str, before: str, after: str) -> None:
    text = f"{before}\n{template.format(secret)}\n{after}"
    assert secret not in plain(text).replace(before, "", 1)


@given(TEXTS)
def test_redacting_again_changes_nothing(text: str) -> None:
    once = plain(text)
    assert plain(once) == once


@given(TEXTS)
def test_lines_stay_counted(text: str) -> None:
    assert plain(text).count("\n") == text.count("\n")


@given(st.text(string.ascii_lowercase + " \n.,()"))
def test_prose_stays(text: str) -> None:
    assert plain(text) == text


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "password",
            "pwd=",
            'pwd="',
            'pwd=\\"',
            "pwd=a.b.",
            "pwd={{{",
            "pwd:x[",
            "secret:",
            "token = ",
            "--password ",
        ),
        *("://", "://a:", "://a@", "sk-", "eyJ-", "eyJaaaaaaaa.", "SG.", "xoxb-", "curl ", "curl -u ", "Bearer a"),
        *("Authorization: ", "-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\n-", "a", " ", "{", '"', "\\"),
    ],
)
def test_time_grows_with_the_text_and_not_with_its_square(piece: str) -> None:
    size = 200_000
    ordinary = "def token(self, password: str) -> None:\n    return self.parse(password)\n"

    def seconds(text: str) -> float:
        started_s = time.process_time()
        plain(text)
        return time.process_time() - started_s

    assert seconds(piece * (size // len(piece))) < 100 * seconds(ordinary * (size // len(ordinary)))


def test_this_projects_own_code_stays(checkout: Path) -> None:
    for path in (checkout / "src").rglob("*.py"):
        code = path.read_text()
        assert plain(code) == code, path
