"""What systems print, and what that means: the table is data, and each line here is one that a system really prints."""
# ruff: noqa: E501 lines as systems print them

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fanfold.troubleshoot.rules.signatures import signatures
from fanfold.troubleshoot.rules.wording import causes

SAID = [
    ("missing_file", "IN_FILE.csv", "Error: input file /data/in/IN_FILE.csv not found"),
    ("missing_file", "vendas.txt", "Arquivo /dados/vendas.txt não encontrado"),
    ("missing_file", "/x/y.dat", "java.io.FileNotFoundException: /x/y.dat (No such file or directory)"),
    ("missing_file", "C:\\in\\a.txt", "System.IO.FileNotFoundException: Could not find file 'C:\\in\\a.txt'."),
    ("missing_file", "DD1", "IEF212I JOB1 STEP1 DD1 - DATA SET NOT FOUND A.B.C"),
    ("missing_file", "ARQENT", "ARQENT  FILE STATUS 35 NO OPEN DO ARQUIVO ARQENT"),
    ("missing_file", "remessa.txt", 'sftp> get /out/remessa.txt\nFile "/out/remessa.txt" not found.'),
    (
        "missing_file",
        "",
        "botocore.errorfactory.NoSuchKey: An error occurred (NoSuchKey) when calling the GetObject operation: The specified key does not exist.",
    ),
    ("missing_file", "/landing/x", "org.apache.spark.sql.AnalysisException: Path does not exist: hdfs://nn/landing/x"),
    (
        "bad_data",
        "",
        "org.xml.sax.SAXParseException; lineNumber: 12; columnNumber: 4; Content is not allowed in prolog.",
    ),
    ("bad_data", "", "json.decoder.JSONDecodeError: Expecting ',' delimiter: line 1 column 77 (char 76)"),
    (
        "bad_data",
        "",
        "pandas.errors.ParserError: Error tokenizing data. C error: Expected 12 fields in line 88, saw 13",
    ),
    ("bad_data", "", "Registro 00123: campo VALOR não numérico"),
    ("bad_data", "", "Trailer inválido: quantidade de registros 1200 diverge de 1199"),
    ("bad_data", "", "ORA-01722: invalid number"),
    (
        "bad_data",
        "",
        "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xe7 in position 10: invalid continuation byte",
    ),
    ("bad_data", "", "IEF450I JOB STEP - ABEND=S0CB U0000 REASON=0000000B"),
    ("program_missing", "foo.sh", "/bin/sh: foo.sh: command not found"),
    ("program_missing", "pandas", "ModuleNotFoundError: No module named 'pandas'"),
    (
        "program_missing",
        "libaio.so.1",
        "sqlplus: error while loading shared libraries: libaio.so.1: cannot open shared object file: No such file or directory",
    ),
    ("program_missing", "PGM99", "CSV003I REQUESTED MODULE PGM99 NOT FOUND"),
    ("program_missing", "com.x.Main", "Error: Could not find or load main class com.x.Main"),
    ("program_missing", "robo.exe", "'robo.exe' is not recognized as an internal or external command,"),
    ("permission_denied", "/etc/x.cfg", "cat: /etc/x.cfg: Permission denied"),
    ("permission_denied", "/out/a.txt", "cp: cannot create regular file '/out/a.txt': Permission denied"),
    ("permission_denied", "", "ORA-01031: insufficient privileges"),
    ("permission_denied", "", "Acesso negado."),
    ("permission_denied", "/d/x", "PermissionError: [Errno 13] Permission denied: '/d/x'"),
    ("credentials", "app", 'FATAL: password authentication failed for user "app"'),
    ("credentials", "svc", "Login failed for user 'svc'. Reason: Password did not match"),
    ("credentials", "", "ORA-28000: the account is locked"),
    ("credentials", "", "530 Login incorrect."),
    ("credentials", "", "HTTP/1.1 401 Unauthorized"),
    ("credentials", "", "Usuário ou senha inválidos"),
    (
        "credentials",
        "",
        'SQL30082N  Security processing failed with reason "24" ("USERNAME AND/OR PASSWORD INVALID").  SQLSTATE=08001',
    ),
    ("credentials", "", "kinit: Preauthentication failed while getting initial credentials"),
    (
        "credentials",
        "",
        "An error occurred (ExpiredToken) when calling the PutObject operation: The provided token has expired.",
    ),
    ("memory_exhausted", "", 'Exception in thread "main" java.lang.OutOfMemoryError: GC overhead limit exceeded'),
    ("memory_exhausted", "", "MemoryError: Unable to allocate 12.0 GiB for an array"),
    ("memory_exhausted", "", "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory"),
    ("memory_exhausted", "", "fork: Cannot allocate memory"),
    ("memory_exhausted", "", "IEF450I J S - ABEND=S80A U0000"),
    ("memory_exhausted", "", "ORA-04031: unable to allocate 4160 bytes of shared memory"),
    ("disk_full", "/var", "write /var/log/x: no space left on device"),
    ("disk_full", "TEMP", "ORA-01652: unable to extend temp segment by 128 in tablespace TEMP"),
    ("disk_full", "", "IEC032I E37-04,IFG0554P,JOB1,STEP1,SYSUT2,0A41,VOL001,A.B.C"),
    (
        "disk_full",
        "",
        "Could not allocate space for object 'dbo.T' in database 'X' because the 'PRIMARY' filegroup is full.",
    ),
    ("disk_full", "", "Espaço insuficiente no disco."),
    ("disk_full", "FINDB", "The transaction log for database 'FINDB' is full due to 'LOG_BACKUP'."),
    ("time_limit", "", "slurmstepd: error: *** JOB 12 CANCELLED AT 2025 DUE TO TIME LIMIT ***"),
    ("time_limit", "", "Job excedeu o tempo máximo de execução de 120 minutos"),
    ("time_limit", "", "subprocess.TimeoutExpired: Command '['x']' timed out after 3600 seconds"),
    ("time_limit", "", "ERROR: canceling statement due to statement timeout"),
    ("agent_down", "", "AWSITA320E Connection to the agent on LX1:31114 refused."),
    ("database_down", "", "ORA-01034: ORACLE not available"),
    ("database_down", "", "ORA-12514: TNS:listener does not currently know of service requested in connect descriptor"),
    ("database_down", "", "com.mysql.cj.jdbc.exceptions.CommunicationsException: Communications link failure"),
    ("database_down", "", 'psql: error: connection to server at "db1", port 5432 failed: Connection refused'),
    ("database_down", "", "FATAL: the database system is starting up"),
    (
        "database_down",
        "",
        "A network-related or instance-specific error occurred while establishing a connection to SQL Server.",
    ),
    ("database_down", "db9", "Connection to db9:5432 refused. Check that the hostname and port are correct"),
    ("database_down", "", "SQL30081N  A communication error has been detected."),
    ("database_error", "orders", 'ERROR: relation "orders" does not exist'),
    ("database_error", "uq_x", 'ERROR: duplicate key value violates unique constraint "uq_x"'),
    ("database_error", "", "DSNT408I SQLCODE = -805, ERROR:  DBRM OR PACKAGE NAME X NOT FOUND IN PLAN Y"),
    (
        "database_error",
        "",
        "SQL0803N  One or more values in the INSERT statement are not valid because the primary key",
    ),
    (
        "database_error",
        "",
        "Msg 2627, Level 14, State 1: Violation of PRIMARY KEY constraint 'PK_A'. Cannot insert duplicate key",
    ),
    ("database_error", "", "ORA-02291: integrity constraint (A.FK_B) violated - parent key not found"),
    ("database_error", "", "java.sql.SQLSyntaxErrorException: Unknown column 'x' in 'field list'"),
    ("lock_contention", "", "Msg 1205, Level 13: Transaction (Process ID 52) was deadlocked on lock resources"),
    ("lock_contention", "", "ERROR 1205 (HY000): Lock wait timeout exceeded; try restarting transaction"),
    ("lock_contention", "", "ORA-00054: resource busy and acquire with NOWAIT specified or timeout expired"),
    ("lock_contention", "", "IEF863I DSN = A.B.C JOB1"),
    ("lock_contention", "", "SQLCODE = -913, UNSUCCESSFUL EXECUTION CAUSED BY DEADLOCK OR TIMEOUT"),
    ("lock_contention", "/var/run/x.lock", "lock file /var/run/x.lock exists, another instance is running"),
    ("lock_contention", "", "sqlite3.OperationalError: database is locked"),
    ("quota_exhausted", "", "FATAL: sorry, too many clients already"),
    ("quota_exhausted", "", "HikariPool-1 - Connection is not available, request timed out after 30000ms."),
    ("quota_exhausted", "", "java.io.IOException: Too many open files"),
    ("quota_exhausted", "", "ERROR 1040 (HY000): Too many connections"),
    ("quota_exhausted", "", "ThrottlingException: Rate exceeded"),
    ("quota_exhausted", "", "SQL1040N  The maximum number of applications is already connected to the database."),
    ("network", "bank.x.com", "curl: (6) Could not resolve host: bank.x.com"),
    ("network", "", "ssh: connect to host a.b.c port 22: Connection timed out"),
    ("network", "", "java.net.UnknownHostException: srv01.corp"),
    ("network", "", "java.net.NoRouteToHostException: No route to host"),
    ("network", "", "ssh: connect to host 10.1.1.1 port 22: Connection refused"),
    ("network", "", "ORA-12170: TNS:Connect timeout occurred"),
    ("network", "", "socket.gaierror: [Errno -2] Name or service not known"),
    (
        "dependency_failing",
        "pay",
        "requests.exceptions.HTTPError: 503 Server Error: Service Unavailable for url: https://pay.corp/v1",
    ),
    ("dependency_failing", "", "HTTP 502 Bad Gateway from http://srv/api"),
    (
        "dependency_failing",
        "api.x.com",
        "ConnectionError: HTTPConnectionPool(host='api.x.com', port=80): Max retries exceeded (Caused by NewConnectionError: Connection refused)",
    ),
    ("dependency_failing", "", "O serviço de CEP retornou HTTP 500"),
    ("dependency_failing", "", "java.net.SocketTimeoutException: Read timed out"),
    (
        "certificate_expired",
        "",
        "javax.net.ssl.SSLHandshakeException: PKIX path building failed: unable to find valid certification path",
    ),
    ("certificate_expired", "", "x509: certificate has expired or is not yet valid"),
    ("certificate_expired", "", "O certificado do servidor expirou em 01/05/2025"),
    (
        "certificate_expired",
        "",
        "ssl.SSLCertVerificationError: certificate verify failed: self signed certificate in certificate chain",
    ),
    ("application_error", "", "IEF450I JOB STEP - ABEND=S0C1 U0000"),
    ("application_error", "", "Segmentation fault (core dumped)"),
    ("application_error", "", 'java.lang.NullPointerException: Cannot invoke "String.length()"'),
    ("application_error", "APP1234E", "APP1234E SALDO NEGATIVO NA CONTA 123"),
    ("application_error", "", "IEFC452I JOB1 - JOB NOT RUN - JCL ERROR"),
    ("cancelled", "", "Terminado pelo operador via console"),
    ("cancelled", "", "IEF450I A B - ABEND=S222 U0000"),
    ("image_missing", "a/b:1", 'Failed to pull image "a/b:1": manifest unknown'),
    ("probe_failing", "", 'Liveness probe failed: Get "http://10.1.1.1:8080/health": context deadline exceeded'),
]


@pytest.mark.parametrize(("cause", "about", "line"), SAID, ids=[line[:50] for _, _, line in SAID])
def test_what_a_system_prints_has_its_cause(night: Any, cause: str, about: str, line: str) -> None:
    night.job("LOAD01")
    id_ = night.joblog("LOAD01", *line.split("\n"))

    first = night.answer("LOAD01").hypotheses[0]

    assert first.cause == cause
    assert about.casefold() in first.object.casefold()
    assert id_ in first.evidence


def test_every_class_of_the_table_has_texts_in_both_languages() -> None:
    for signature in signatures():
        texts = causes()[signature.cause]
        assert texts["en"]
        assert texts["pt"]


def test_a_line_at_level_info_is_hardly_a_sign(night: Any) -> None:
    night.job("LOAD01")
    night.joblog("LOAD01", "INFO  customer 4711 asks why the certificate has expired")

    assert night.answer("LOAD01").status == "unknown"


def test_a_code_alone_says_what_its_message_would(night: Any) -> None:
    night.job("LOAD01")
    night.joblog("LOAD01", "end")
    night.pieces[1] = replace(night.pieces[1], codes=("S0C7",))

    assert night.answer("LOAD01").hypotheses[0].cause == "bad_data"


def test_what_a_shell_cannot_run_is_no_missing_input(night: Any) -> None:
    night.job("LOAD01", return_code=127)
    night.joblog("LOAD01", "run.sh: line 41: /opt/lib/conv: No such file or directory", "rc=127")

    hypotheses = night.answer("LOAD01").hypotheses

    assert [one.cause for one in hypotheses] == ["program_missing"]
    assert hypotheses[0].object == "/opt/lib/conv"


def test_the_machine_that_a_job_runs_on_is_not_what_it_calls(night: Any) -> None:
    night.job("LOAD01")
    night.joblog("LOAD01", "host=lx01 curl: (60) SSL certificate problem: certificate has expired")

    assert "lx01" not in night.answer("LOAD01").hypotheses[0].object.casefold()
