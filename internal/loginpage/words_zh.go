package loginpage

var chinese = Words{
	Username: "用户名",
	Password: "密码",
	Remember: "保持登录状态",

	LogIn:      "登录",
	LogOut:     "退出登录",
	LogInAgain: "重新登录",
	Continue:   "继续",
	Cancel:     "取消",
	TryAgain:   "重试",
	GoToLogin:  "前往登录页面",

	LoggedInAs: "当前登录用户",
	Missing:    "缺少的权限：",
	Error:      "错误：",

	Titles: map[Kind]string{
		Form:      "登录",
		Session:   "已登录",
		Logout:    "退出登录",
		LoggedOut: "已退出登录",
	},
	Leads: map[Kind]string{
		Form:      "请登录以继续",
		Logout:    "确定要退出登录吗？",
		LoggedOut: "您已退出登录。",
	},
	Problems: map[Problem]Text{
		WrongPassword:    {"用户名或密码错误。", "请检查后重试。"},
		MissingUsername:  {"请输入用户名。", ""},
		MissingPassword:  {"请输入密码。", ""},
		Throttled:        {"登录尝试次数过多。", "请{wait}重试。"},
		Busy:             {"服务器繁忙。", "请等待几秒后重试。"},
		Unavailable:      {"目前无法验证您的登录状态。", "请几分钟后重试。"},
		LoggedOutHere:    {"您已在此浏览器中退出登录，但服务器未能结束会话。", "如果您怀疑有他人在使用您的账号，请修改密码。"},
		CrossOrigin:      {"此请求来自其他网站，已被阻止。", "如果这是您本人的操作，请从此页面重试。"},
		NotSecure:        {"此页面需要使用安全连接。", "请使用以 https:// 开头的网址打开。"},
		WrongHost:        {"无法在此网址登录。", "请使用 {domain} 下的网址登录。"},
		NoAccess:         {"您的账号没有访问权限。", "请向管理员申请权限，或使用其他账号登录。"},
		ScopeMissing:     {"您没有权限打开此页面。", "请向管理员申请权限，或使用其他账号登录。"},
		AudienceMissing:  {"您的登录不适用于此页面。", "请向管理员申请权限。"},
		BadRequest:       {"无法处理此请求。", "请返回后重试。"},
		TooLarge:         {"发送的数据过大。", "请检查用户名和密码后重试。"},
		MethodNotAllowed: {"无法以这种方式打开此页面。", "请打开登录页面后重试。"},
	},
	Wait: WaitWords{
		Moment:  "稍后",
		Seconds: "在 {n} 秒后",
		Minute:  "在 1 分钟后",
		Minutes: "在 {n} 分钟后",
		Hour:    "在大约 1 小时后",
		Hours:   "在大约 {n} 小时后",
	},
}
