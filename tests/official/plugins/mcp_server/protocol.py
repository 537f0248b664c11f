"""Answers of the server, as JSON-RPC has them."""

TOOLS = [{"name": "quack", "description": "Quacks", "inputSchema": {"type": "object"}}]


def answer(request: dict) -> dict | None:
    match request.get("method"):
        case "initialize":
            result = {"protocolVersion": "2024-11-05", "capabilities": {"tools": {}}}
        case "tools/list":
            result = {"tools": TOOLS}
        case "tools/call":
            text = f"quack {request['params']['arguments'].get('times', 1)}"
            result = {"content": [{"type": "text", "text": text}]}
        case "notifications/initialized":
            return None
        case unknown:
            error = {"code": -32601, "message": f"no method {unknown}"}
            return {"jsonrpc": "2.0", "id": request.get("id"), "error": error}
    return {"jsonrpc": "2.0", "id": request.get("id"), "result": result}
