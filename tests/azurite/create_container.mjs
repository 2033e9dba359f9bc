// Creates a container in Azurite: node create_container.mjs http://HOST:PORT NAME
// The account and its key are those that every emulator has (learn.microsoft.com/azure/storage/common/storage-use-azurite); signed as
// "Authorize with Shared Key" says.
import { createHmac } from "node:crypto";
const [base, container] = process.argv.slice(2);
const account = "devstoreaccount1";
const key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const date = new Date().toUTCString();
const text = ["PUT", ...Array(11).fill(""), `x-ms-date:${date}`, "x-ms-version:2021-12-02", `/${account}/${account}/${container}`, "restype:container"].join("\n");
const signature = createHmac("sha256", Buffer.from(key, "base64")).update(text).digest("base64");
const headers = { "x-ms-date": date, "x-ms-version": "2021-12-02", authorization: `SharedKey ${account}:${signature}` };
const answer = await fetch(`${base}/${account}/${container}?restype=container`, { method: "PUT", headers });
if (answer.status !== 201) throw new Error(`${answer.status} ${await answer.text()}`);
