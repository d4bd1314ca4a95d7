// A real SMTP server for the tests. Listens on a free loopback port and talks
// JSON lines on standard output: first {"port": N}, then one object a mail,
// parsed. Standard input takes one command a line: "down" refuses further
// mail with 451, "reject" with 550, "up" accepts again; its end ends the server.
//
// Arguments: --key FILE --cert FILE (STARTTLS is then offered), --login USER:PASSWORD,
// --port N for one port rather than a free one.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { simpleParser } from "mailparser";
import { SMTPServer } from "smtp-server";

const { values } = parseArgs({
  options: { key: { type: "string" }, cert: { type: "string" }, login: { type: "string" }, port: { type: "string" } },
});
const say = (object) => process.stdout.write(JSON.stringify(object) + "\n");
let mode = "up";

const refusal = () => {
  const error = new Error(mode === "down" ? "try again later" : "not here");
  error.responseCode = mode === "down" ? 451 : 550;
  return error;
};

const server = new SMTPServer({
  secure: false,
  key: values.key && readFileSync(values.key),
  cert: values.cert && readFileSync(values.cert),
  disabledCommands: values.key ? [] : ["STARTTLS"],
  authOptional: !values.login,
  allowInsecureAuth: false,
  onAuth(auth, _session, done) {
    const [user, password] = (values.login ?? ":").split(":");
    if (auth.username === user && auth.password === password) done(null, { user });
    else done(new Error("wrong user or password"));
  },
  onMailFrom(_address, _session, done) {
    done(mode === "up" ? null : refusal());
  },
  onData(stream, session, done) {
    simpleParser(stream)
      .then((mail) => {
        say({
          secure: session.secure,
          user: session.user,
          from: session.envelope.mailFrom.address,
          to: session.envelope.rcptTo.map((to) => to.address),
          subject: mail.subject,
          messageId: mail.messageId,
          headers: Object.fromEntries(mail.headerLines.map(({ key, line }) => [key, line])),
          text: mail.text,
          html: mail.html,
          attachments: mail.attachments.map((part) => ({
            type: part.contentType,
            cid: part.cid,
            size: part.size,
            content: part.content.toString("base64"),
          })),
        });
        done();
      })
      .catch(done);
  },
});

server.on("error", (error) => say({ error: error.message }));
server.listen(Number(values.port ?? 0), "127.0.0.1", function () {
  say({ port: this.address().port });
});
createInterface({ input: process.stdin })
  .on("line", (line) => {
    mode = line.trim();
    say({ mode });
  })
  .on("close", () => process.exit(0));
